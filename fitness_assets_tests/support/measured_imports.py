"""Read exports in a process with a memory limit.

Run as a program, it reads the exports that standard input names, and prints what each one cost.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fitness_assets import memory
from fitness_assets.errors import FitnessError
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export


class Cost(NamedTuple):
    """What reading an export gave and took.

    Attributes
    ----------
    records : int
    reason : str
        Why it was refused, else the first reason that something was left out, or "".
    entries : int
        Number of the entries that were left out.
    seconds : float
        Of the processor.
    megabytes : float
        Peak of the resident set of the process, libraries included.
    """

    records: int
    reason: str
    entries: int
    seconds: float
    megabytes: float


def costs(paths: Iterable[Path], limit: int) -> dict[str, Cost]:
    """Read each export in one new process, whose address space grows by `limit` bytes at most.

    Raises
    ------
    subprocess.CalledProcessError
        If the process crashes, or an error is not one of ours.
    """
    names = [str(path) for path in paths]
    run = subprocess.run(
        [sys.executable, "-m", __name__, str(limit)],
        input=json.dumps(names),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        # Arrow's own allocator reserves a gigabyte of address space.
        env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
    )
    return {
        Path(name).name: Cost(*cost)
        for name, cost in zip(names, json.loads(run.stdout), strict=True)
    }


def _cost(path: Path) -> Cost:
    # Resets the peak of the resident set.
    Path("/proc/self/clear_refs").write_text("5")
    began, records, reasons = time.process_time(), 0, list[str]()
    try:
        options = ImportOptions(user="ann")
        for batch in read_export(path, options, lambda *entry: reasons.append(entry[2])):
            records += batch.num_rows
    except FitnessError as error:
        reasons.insert(0, str(error))
    seconds, peak = time.process_time() - began, memory.peak() or 0
    cost = Cost(records, reasons[0] if reasons else "", len(reasons), seconds, peak / 1e6)
    memory.collect_and_trim()
    return cost


def _main() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = size + int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    json.dump([_cost(Path(path)) for path in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    _main()
