"""The worst files of a release are refused at a small cost, in a process with a memory limit."""

import re
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from fitness_assets.models.forests.packed import format as packed_format
from fitness_assets.models.forests.packed.format import ForestContent
from fitness_assets.storage.models import dump
from fitness_assets_tests.support import hostile_models, hostile_tables
from fitness_assets_tests.support.hostile_models import node, pipeline, skops_file
from fitness_assets_tests.support.limited import costs


def forest(leaf: list[bool], trees: int) -> bytes:
    """A model with one packed forest of these nodes."""
    leaves = np.array(leaf)
    splits = int((~leaves).sum())
    content = packed_format.encode(
        ForestContent(
            n_features=1,
            n_trees=trees,
            names=None,
            leaf=leaves,
            missing_left=np.zeros(splits, np.bool_),
            feature=np.zeros(splits, np.uint16),
            threshold=np.zeros(splits, np.float32),
            value=np.zeros(len(leaf) - splits, np.float32),
        )
    )
    state = node(
        "DictNode",
        "builtins.dict",
        content={"packed": node("BytesNode", "builtins.bytes", file="1.bin")},
        key_types=hostile_models.items([node("TypeNode", "builtins.str")]),
    )
    name = "fitness_assets.models.forests.packed.estimator.PackedRegressor"
    packed = node("ObjectNode", name, content=state)
    return skops_file(pipeline({"steps": packed}), {"1.bin": content})


def forests() -> dict[str, bytes]:
    """Forests with as many nodes as are read, or more."""
    splits = packed_format.MAX_NODES // 2 - 1
    over = 1 << 20
    return {
        "deep.skops": forest([False] * splits + [True] * (splits + 1), 1),
        "comb.skops": forest([False, True] * splits + [True], 1),
        "broken.skops": forest([True, False] * splits + [True], 1),
        "large.skops": forest([False] * over + [True] * (over + 1), 1),
        "many trees.skops": forest([True] * over, over),
    }


def test_hostile_files_cost_little_until_they_are_refused(tmp_path: Path) -> None:
    reasons = {f"{name}.skops": reason for name, (_, reason) in hostile_models.FILES.items()}
    reasons |= {f"{name}.parquet": reason for name, (_, reason) in hostile_tables.TABLES.items()}
    made = {f"{name}.skops": make() for name, (make, _) in hostile_models.FILES.items()}
    made |= {f"{name}.parquet": make() for name, (make, _) in hostile_tables.TABLES.items()}
    made |= forests() | {"shared.skops": hostile_models.shared_lists()}
    for name, (make, reason) in hostile_tables.DOCUMENTS.items():
        content = make()
        made |= {f"{name} metrics.json": content, f"{name} latest.json": content}
        reasons[f"{name} metrics.json"] = reason
    made["good.skops"] = dump(Pipeline([("none", "passthrough")]))
    found = costs(made, tmp_path)
    assert not found.pop("good.skops").refused
    assert [name for name, cost in found.items() if not cost.refused] == []
    assert {n: c for n, c in found.items() if c.seconds > 2 or c.megabytes > 100} == {}
    for name, cost in found.items():
        assert re.search(reasons.get(name, ""), cost.refused), name
        assert "\n" not in cost.refused
