"""The way in: from the path of an export to canonical records."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import opened
from fitness_assets.sources.exports.formats import tidy
from fitness_assets.sources.exports.options import STREAMS, ImportOptions, Quarantine
from fitness_assets.sources.exports.registry import FORMATS, sorted_out, unknown

#: Records of one file that are told of singly; of the others, how many they are.
MOST_TOLD = 100
_TIDY = (".csv", ".parquet")


def read(
    path: Path,
    told: ImportOptions,
    quarantine: Quarantine,
    progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> Iterator[pa.RecordBatch]:
    """The canonical records of an export: a file, a folder or a zip, of whatever formats it holds.

    Of each user and day there is one record a format, except that tidy files come as they are.

    Parameters
    ----------
    path : Path
    told : ImportOptions
    quarantine : callable
        Told of each file or record that is left out, while the rest goes on.
    progress : callable
        Told of the bytes read, and of those there are to read.

    Raises
    ------
    SourceError
        If `path` is of no known format or nothing of it can be read.
    """
    for stream in told.zones.keys() - set(STREAMS):
        raise SourceError(f"no stream {stream} has a zone; there are {', '.join(STREAMS)}")
    refused = _Refused(quarantine)
    done = total = 0

    def count(read_now: int) -> None:
        nonlocal done
        # Files that are read twice, such as Parquet in a zip, must not pass the end.
        done = min(done + read_now, total)
        progress(done, total)

    empty = True
    with opened(path, refused, count) as members:
        if told.layout is None:
            formats, own = sorted_out(members, refused)
        else:
            formats = {}
            own = [m for m in members if m.name.lower().endswith(_TIDY)] or members
        if not formats and not own:
            raise SourceError(refused.first or unknown(path))
        total = sum(member.size for found in (*formats.values(), own) for member in found)
        for index, found in formats.items():
            known = FORMATS[index]
            days = DayAggregator(known.NAME)
            known.gather(found, days, told, refused)
            for batch in days.batches(refused, told.delivered, padded=known.PADDED):
                empty = False
                yield batch
        for batch in tidy.read(own, told, refused):
            empty = False
            yield batch
    refused.close()
    if empty:
        raise SourceError(f"{path}: {refused.first or 'it holds nothing that is kept'}")


class _Refused:
    """Passes on what is left out, as long as it is little."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._counts: Counter[str] = Counter()
        self.first = ""

    def __call__(self, file: str, place: str, reason: str) -> None:
        self.first = self.first or f"{file}{place and ', '}{place}: {reason}"
        self._counts[file] += 1
        if self._counts[file] <= MOST_TOLD:
            self._quarantine(file, place, reason)

    def close(self) -> None:
        for file, count in self._counts.items():
            if count > MOST_TOLD:
                self._quarantine(file, "", f"{count - MOST_TOLD:,} more records of it")
