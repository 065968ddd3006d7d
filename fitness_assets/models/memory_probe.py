"""The memory that a stored forest takes, measured in a process that does nothing else.

Run as a program it reads lines from standard input, each a kind of forest and a path, and writes
the bytes that loading it takes.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, cast

from fitness_assets.memory import collect_and_trim, resident

Kind = Literal["joblib", "packed"]
#: Given the content and kind of a forest: the bytes by which a new process grows to load it.
Probe = Callable[[bytes, Kind], int]

# One small forest is lost among the pages of a process; this many bytes of copies are not.
_COPIES_BYTES, _MAX_COPIES = 20_000_000, 30


@contextmanager
def start() -> Iterator[Probe]:
    """Start a process that imports once, and measures each forest in a fork of itself."""
    process = subprocess.Popen(
        # Modules in the working folder are not imported.
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    requests, answers = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def probe(content: bytes, kind: Kind) -> int:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            requests.write(f"{kind} {file.name}\n")
            requests.flush()
            return int(answers.readline())

    with process:
        yield probe


def _load(kind: str, path: Path) -> Any:
    if kind == "packed":
        from fitness_assets.models.forests.packed.estimator import PackedForest

        return PackedForest.from_bytes(path.read_bytes())
    import joblib

    return joblib.load(path)  # noqa: TID251 - a file that `probe` has just written


def _growth(kind: str, path: Path) -> int:
    """Bytes by which this process grows for one copy of the forest in `path`."""
    _load(kind, path)  # imports belong to no forest
    collect_and_trim()
    copies = max(1, min(_MAX_COPIES, _COPIES_BYTES // path.stat().st_size))
    before = resident()
    kept = [_load(kind, path) for _ in range(copies)]
    after = resident()
    if before is None or after is None:
        raise OSError("this system does not report the memory of a process")
    return (after - before) // len(kept)


def _serve() -> None:
    import joblib  # noqa: F401 - imported once, not in each fork

    from fitness_assets.models.forests.packed import estimator  # noqa: F401

    for line in sys.stdin:
        kind, _, path = line.rstrip("\n").partition(" ")
        if (fork := os.fork()) == 0:
            sys.stdout.write(f"{_growth(kind, Path(path))}\n")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(fork, 0)[1]:
            raise SystemExit(f"{path} could not be measured")


if __name__ == "__main__":
    _serve()
