"""Changed releases: what the dashboard's reader serves, and what refusing them costs."""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
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
        processes = os.cpu_count() or 1
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            shares = [range(first, _TRIES, processes) for first in range(processes)]
            for found in pool.map(partial(_tries, Path(home)), shares):
                for each in found:
                    kinds["all"].append(each)
                    kinds[_kind(each.changed)].append(each)
    first: float | None = None
    for kind, of_kind in kinds.items():
        seconds = sorted(each.seconds for each in of_kind)
        first = first or seconds[-1]
        table.add_row(
            kind,
            f"{len(of_kind):,}",
            f"{sum(each.accepted for each in of_kind):,}",
            f"{seconds[len(seconds) // 2]:.2f}",
            f"{seconds[-1]:.2f}",
            f"{max(each.megabytes for each in of_kind):.1f}",
            f"{seconds[-1] / first:.2f}",
        )
    yield table


def _tries(home: Path, seeds: range) -> list[Try]:
    """The tries of one process: their memory and time are those of this process."""
    release = ReleaseStore(home / "releases").open(_MONTH)
    files = {f.name: read_bytes(release.folder, f) for f in release.manifest.files}
    return list(tries(files, release.info, home / f"tries-{seeds.start}", seeds))


def _kind(changed: str) -> str:
    """What of a release was changed."""
    name = changed.partition(" by ")[0]
    return {"parquet": "a table", "skops": "a model", "json": "the metrics"}.get(
        name.rpartition(".")[2], f"the {name}"
    )
