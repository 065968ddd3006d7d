"""Import of an Apple Health export: MB/s and peak memory.

Each import runs in its own process, `python -m bench.exports EXPORT`, to measure its own peak.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fitness_assets import memory
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

MEGABYTES = (200, 2_000)
_XML_START = """<?xml version="1.0" encoding="UTF-8"?>
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
_DATE_PLACEHOLDER = "YYYY-MM-DD"
_METADATA = '  <MetadataEntry key="HKMetadataKeyHeartRateMotionContext" value="1"/>\n'
# Type, unit, source, seconds between records, range of values, whether with metadata.
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
    """Write a synthetic export of about `size` bytes, with days from 2010 on.

    Records are ordered by type, as phones write them. A day takes about 0.4 MB, and every week is
    the same.
    """
    draw = random.Random(1)  # noqa: S311 - not a secret
    weeks = [[_day(stream, draw) for _ in range(7)] for stream in _STREAMS]
    day_bytes = sum(len(week[0].encode()) for week in weeks)
    first = datetime(2010, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8", buffering=1 << 20) as file:
        file.write(_XML_START)
        for week in weeks:
            for number in range(max(1, round(size / day_bytes))):
                day = first + timedelta(days=number)
                file.write(week[number % 7].replace(_DATE_PLACEHOLDER, f"{day:%Y-%m-%d}"))
        file.write("</HealthData>\n")


def _day(stream: _Stream, draw: random.Random) -> str:
    """One day's records of a stream, with `_DATE_PLACEHOLDER` in place of the date."""
    kind, unit, source, seconds, (low, high), metadata = stream
    lines = []
    for begin in range(0, 86_400, seconds):
        start, end = (
            f"{_DATE_PLACEHOLDER} {timedelta(seconds=at)!s:0>8} +0000" for at in (begin, begin + 59)
        )
        lines.append(
            f' <Record type="HKQuantityTypeIdentifier{kind}" {source} unit="{unit}" '
            f'creationDate="{end}" startDate="{start}" endDate="{end}" '
            f'value="{draw.randint(low, high)}"'
        )
        lines.append(f">\n{_METADATA} </Record>\n" if metadata else "/>\n")
    return "".join(lines)


def exports() -> "Iterator[Table]":
    """Import an Apple Health export of two sizes, from the file to canonical records."""
    from rich.table import Table

    table = Table(
        "size", "days", "seconds", "MB/s", "peak MB", "MB/s ratio", title="Apple Health export"
    )
    first_rate: float | None = None
    for megabytes in MEGABYTES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "export.xml")
            write_export(path, megabytes * 1_000_000)
            finished = subprocess.run(
                [sys.executable, "-m", __name__, str(path)],
                check=True,
                capture_output=True,
                text=True,
            )
            result, size = json.loads(finished.stdout), path.stat().st_size / 1e6
        rate = size / result["seconds"]
        first_rate = first_rate or rate
        table.add_row(
            f"{size:,.0f} MB",
            f"{result['days']:,}",
            f"{result['seconds']:.1f}",
            f"{rate:.0f}",
            f"{result['peak'] / 1e6:.0f}",
            f"{rate / first_rate:.2f}",
        )
    yield table


def main(path: Path) -> None:
    """Import `path` and print days, seconds and the peak of the process in bytes, as JSON."""
    began = time.perf_counter()
    options = ImportOptions(user="bench")
    report = partial(print, file=sys.stderr)
    days = sum(batch.num_rows for batch in read_export(path, options, report))
    seconds = time.perf_counter() - began
    print(json.dumps({"days": days, "seconds": seconds, "peak": memory.peak()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
