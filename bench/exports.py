"""What it takes to import an Apple Health export: MB a second and peak memory.

An import runs in a process of its own, `python -m bench.exports EXPORT`, so that its peak is its
own.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from fitness_assets import memory
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

MEGABYTES = (200, 2_000)
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!ELEMENT HealthData (ExportDate,Me,(Record|Workout|ActivitySummary)*)>
]>
<HealthData locale="en_GB">
 <ExportDate value="2026-01-02 10:00:00 +0000"/>
 <Me HKCharacteristicTypeIdentifierDateOfBirth="1980-02-29" \
HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexFemale"/>
"""
_WATCH = (
    'sourceName="A\u2019s Watch" sourceVersion="11.2" device="&lt;&lt;HKDevice: 0x2828&gt;, '
    "name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,2, "
    'software:11.2&gt;"'
)
_PHONE = 'sourceName="A\u2019s iPhone" sourceVersion="18.2"'
_DATE = "YYYY-MM-DD"
_METADATA = '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="1"/>\n'
# Type, unit, source, seconds from one record to the next, range of values, whether with metadata.
_Stream = tuple[str, str, str, int, tuple[int, int], bool]
_STREAMS: tuple[_Stream, ...] = (
    ("HeartRate", "count/min", _WATCH, 300, (50, 150), True),
    ("StepCount", "count", _WATCH, 600, (0, 300), False),
    ("StepCount", "count", _PHONE, 900, (0, 300), False),
    ("DistanceWalkingRunning", "km", _WATCH, 600, (0, 1), False),
    ("ActiveEnergyBurned", "kcal", _WATCH, 300, (0, 9), False),
    ("BasalEnergyBurned", "kcal", _WATCH, 900, (15, 25), False),
    ("AppleExerciseTime", "min", _WATCH, 3600, (1, 1), False),
)


def write_export(path: Path, size: int) -> None:
    """Write an export of about `size` bytes: all of a person's days from 2010 on.

    Records lie by type, as phones write them; a day takes about 0.4 MB. All is made up, and the
    weeks are alike.
    """
    draw = random.Random(1)  # noqa: S311 - not a secret
    weeks = [[_day(stream, draw) for _ in range(7)] for stream in _STREAMS]
    day_bytes = sum(len(week[0].encode()) for week in weeks)
    first = datetime(2010, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        file.write(_HEAD)
        for week in weeks:
            for number in range(max(1, round(size / day_bytes))):
                day = first + timedelta(days=number)
                file.write(week[number % 7].replace(_DATE, f"{day:%Y-%m-%d}"))
        file.write("</HealthData>\n")


def _day(stream: _Stream, draw: random.Random) -> str:
    """A day's records of one stream, with `_DATE` for the date."""
    kind, unit, source, seconds, (low, high), metadata = stream
    lines = []
    for begin in range(0, 86_400, seconds):
        start, end = (f"{_DATE} {timedelta(seconds=at)!s:0>8} +0000" for at in (begin, begin + 59))
        lines.append(
            f' <Record type="HKQuantityTypeIdentifier{kind}" {source} unit="{unit}" '
            f'creationDate="{end}" startDate="{start}" endDate="{end}" '
            f'value="{draw.randint(low, high)}"'
        )
        lines.append(f">\n{_METADATA} </Record>\n" if metadata else "/>\n")
    return "".join(lines)


def exports() -> "Iterator[Table]":
    """An Apple Health export of two sizes, from the file to canonical records."""
    from rich.table import Table

    table = Table(
        "size", "days", "seconds", "MB/s", "peak MB", "MB/s ratio", title="Apple Health export"
    )
    first: float | None = None
    for megabytes in MEGABYTES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "export.xml")
            write_export(path, megabytes * 1_000_000)
            told = subprocess.run(
                [sys.executable, "-m", __name__, str(path)],
                check=True,
                capture_output=True,
                text=True,
            )
            took, size = json.loads(told.stdout), path.stat().st_size / 1e6
        rate = size / took["seconds"]
        first = first or rate
        table.add_row(
            f"{size:,.0f} MB",
            f"{took['days']:,}",
            f"{took['seconds']:.1f}",
            f"{rate:.0f}",
            f"{took['peak'] / 1e6:.0f}",
            f"{rate / first:.2f}",
        )
    yield table


def main(path: Path) -> None:
    """Import `path` and print what it took, as JSON; the peak is that of the whole process."""
    began = time.perf_counter()
    told = ImportOptions(user="bench")
    days = sum(batch.num_rows for batch in read(path, told, print))
    seconds = time.perf_counter() - began
    print(json.dumps({"days": days, "seconds": seconds, "peak": memory.peak()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
