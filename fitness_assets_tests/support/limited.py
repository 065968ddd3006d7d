"""Read files of a release in a process with a memory limit.

Run as a program, it reads the files that standard input names, and prints what each one cost.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from fitness_assets import memory
from fitness_assets.errors import FitnessError
from fitness_assets.release.bundle import read_report
from fitness_assets.release.pointer import Pointer
from fitness_assets.storage import models, parquet_file

# Address space in addition to that of the libraries, in bytes.
_LIMIT = 300_000_000


class Cost(NamedTuple):
    """The reason that a file was refused for, or "", and what reading it took."""

    refused: str
    seconds: float
    megabytes: float


def costs(files: Mapping[str, bytes], folder: Path) -> dict[str, Cost]:
    """Read each of `files` in one new process, in `folder`, within a limit of memory.

    Parameters
    ----------
    files : mapping
        Content by name; the suffix says how it is read.
    folder : Path

    Raises
    ------
    subprocess.CalledProcessError
        If the process crashes, or an error is not one of ours.
    """
    for name, content in files.items():
        (folder / name).write_bytes(content)
    run = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps([str(folder / name) for name in files]),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        # Arrow's own allocator reserves a gigabyte of address space.
        env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
    )
    return dict(zip(files, (Cost(*cost) for cost in json.loads(run.stdout)), strict=True))


def _read(path: Path) -> None:
    content = path.read_bytes()
    if path.suffix == ".skops":
        models.load(content, path.name)
    elif path.suffix == ".parquet":
        parquet_file.read(content, path.name)
    elif path.name.endswith("latest.json"):
        Pointer.parse(content, path.name)
    else:
        read_report(content, "2023-04")


def _cost(path: Path) -> Cost:
    # Resets the peak of the resident set.
    Path("/proc/self/clear_refs").write_text("5")
    before, began, refused = memory.resident() or 0, time.process_time(), ""
    try:
        _read(path)
    except FitnessError as error:
        refused = str(error)
    seconds, peak = time.process_time() - began, memory.peak() or 0
    memory.collect_and_trim()
    return Cost(refused, seconds, (peak - before) / 1e6)


def _main() -> None:
    # Libraries are imported before the limit is set, so that they do not count.
    for library in ("pyarrow.compute", "pyarrow.dataset", "skops.io", "sklearn.cluster"):
        import_module(library)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + _LIMIT, size + _LIMIT))
    json.dump([_cost(Path(path)) for path in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    _main()
