"""Changed releases: what the dashboard's reader serves, and what refusing them costs."""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from fitness_assets.release.store import ReleaseStore
from fitness_assets.storage.publication import read_bytes
from fitness_assets_tests.support.serving import Try, tries

_MONTH = "2023-09"
_USERS = 1959
_TRIES = 2_000


def hostile() -> Iterator[Table]:
    """2,000 changed releases of 1,959 users, each with matching hashes.

    Every one is refused, and the old release is served, or it is complete and served. The refresh
    of a copy that fails this raises an error.
    """
    table = Table(
        f"{_TRIES:,} changed releases",
        "tries",
        "accepted",
        "median s",
        "most s",
        "most MB",
        "ratio",
        title="hostile",
    )
    kinds: dict[str, list[Try]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as home:
        fitness = Path(sys.executable).with_name("fitness")
        subprocess.run(
            [fitness, "backfill", _MONTH],
            check=True,
            env=os.environ | {"FITNESS_HOME": home, "FITNESS_COHORT_USERS": str(_USERS)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        release = ReleaseStore(Path(home) / "releases").open(_MONTH)
        files = {f.name: read_bytes(release.folder, f) for f in release.manifest.files}
        for each in tries(files, release.info, Path(home) / "tries", range(_TRIES)):
            kinds["all"].append(each)
            kinds[_kind(each.changed)].append(each)
    first: float | None = None
    for kind, found in kinds.items():
        seconds = sorted(each.seconds for each in found)
        first = first or seconds[-1]
        table.add_row(
            kind,
            f"{len(found):,}",
            f"{sum(each.accepted for each in found):,}",
            f"{seconds[len(seconds) // 2]:.2f}",
            f"{seconds[-1]:.2f}",
            f"{max(each.megabytes for each in found):.1f}",
            f"{seconds[-1] / first:.2f}",
        )
    yield table


def _kind(changed: str) -> str:
    """What of a release was changed."""
    name = changed.partition(" by ")[0]
    return {"parquet": "a table", "skops": "a model", "json": "the metrics"}.get(
        name.rpartition(".")[2], f"the {name}"
    )
