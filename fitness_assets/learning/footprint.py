"""What a stored forest takes in memory, measured in a process that does nothing else.

Run as a program it measures the file that it is given.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from fitness_assets.memory import give_back, resident

Kind = Literal["joblib", "packed"]

# One small forest is lost among the pages of a process, many are not.
_COPIES_BYTES, _MOST_COPIES = 20_000_000, 30


def memory(content: bytes, kind: Kind) -> int:
    """Bytes by which a new process grows when it loads the forest in `content`."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        told = subprocess.run(
            [sys.executable, "-m", __name__, kind, file.name],
            check=True,
            capture_output=True,
            text=True,
        )
    return int(told.stdout)


def _load(kind: str, path: Path) -> Any:
    if kind == "packed":
        from fitness_assets.learning.packed import PackedForest

        return PackedForest.from_bytes(path.read_bytes())
    import joblib

    return joblib.load(path)  # noqa: TID251 - of a file that `memory` has just written


def _growth(kind: str, path: Path) -> int:
    """Bytes by which this process grows for one copy of the forest in `path`."""
    _load(kind, path)  # what is imported for the first is not the forest's
    give_back()
    copies = max(1, min(_MOST_COPIES, _COPIES_BYTES // path.stat().st_size))
    before = resident()
    kept = [_load(kind, path) for _ in range(copies)]
    after = resident()
    if before is None or after is None:
        raise OSError("this system does not say what a process holds")
    return (after - before) // len(kept)


if __name__ == "__main__":
    sys.stdout.write(f"{_growth(sys.argv[1], Path(sys.argv[2]))}\n")
