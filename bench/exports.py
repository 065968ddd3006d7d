"""Import of exports of Apple Health, Garmin and Health Connect: speed and peak memory.

Each import runs in its own process, `python -m bench.exports EXPORT`, to measure its own peak.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fitness_assets import memory
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets_tests.support.fit import fit_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

MEGABYTES = (200, 2_000)
# A Garmin export of ten years holds about 7,900 files; a day of monitoring about 355 messages.
FIT_FILES, FIT_MESSAGES = 7_900, 355
# Two years of heart rates by the minute, and of steps by two apps.
HEART_RATES, STEPS = 1_000_000, 200_000
# Different days of monitoring; more files repeat them.
_FIT_DAYS = 100
_FIT_MIDNIGHT = 1_104_537_600
_HEALTH_CONNECT = """
CREATE TABLE application_info_table (row_id INTEGER PRIMARY KEY, package_name TEXT);
INSERT INTO application_info_table VALUES (1, 'watch'), (2, 'phone');
CREATE TABLE steps_record_table (app_info_id, start_time, start_zone_offset, count);
CREATE TABLE heart_rate_record_table (row_id INTEGER PRIMARY KEY, app_info_id, start_zone_offset);
INSERT INTO heart_rate_record_table VALUES (1, 1, 3600);
CREATE TABLE heart_rate_record_series_table (parent_key, beats_per_minute, epoch_millis);
"""
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


def write_garmin(path: Path, files: int) -> None:
    """Write a Garmin export: a zip with a zip of FIT files of monitoring."""
    days = []
    for day in range(_FIT_DAYS):
        midnight = _FIT_MIDNIGHT + day * 86_400
        info = {"timestamp": midnight, "local_timestamp": midnight + 3600}
        counters = [
            {"timestamp": midnight + 240 * n, "cycles": 30 * n, "active_calories": n,
             "activity_type": 6}
            for n in range(1, FIT_MESSAGES)
        ]  # fmt: skip
        messages = [("monitoring_info", info), *(("monitoring", each) for each in counters)]
        days.append(fit_file(messages))
    inner = path.with_suffix(".inner.zip")
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(files):
            archive.writestr(f"{number}.fit", days[number % _FIT_DAYS])
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "DI_CONNECT/DI-Connect-Uploaded-Files/UploadedFiles_0-_Part1.zip")
    inner.unlink()


def write_health_connect(path: Path, heart_rates: int, steps: int) -> None:
    """Write a database of Health Connect."""
    first = 1_704_067_200_000
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_HEALTH_CONNECT)
        connection.executemany(
            "INSERT INTO heart_rate_record_series_table VALUES (1, ?, ?)",
            ((50 + n % 100, first + 60_000 * n) for n in range(heart_rates)),
        )
        connection.executemany(
            "INSERT INTO steps_record_table VALUES (?, ?, 3600, ?)",
            ((1 + n % 2, first + 300_000 * n, n % 300) for n in range(steps)),
        )


def measure(path: Path) -> dict[str, float]:
    """The days, the seconds and the peak of an import in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", __name__, str(path)], check=True, capture_output=True, text=True
    )
    result: dict[str, float] = json.loads(finished.stdout)
    return result


def exports() -> "Iterator[Table]":
    """Import exports from the file to canonical records: Apple Health of two sizes, and others."""
    yield _apple()
    yield _others()


def _others() -> "Table":
    """Exports whose speed is that of files or rows."""
    from rich.table import Table

    table = Table("export", "parts", "seconds", "parts a second", "peak MB", title="Other exports")
    with tempfile.TemporaryDirectory() as folder:
        garmin, database = Path(folder, "garmin.zip"), Path(folder, "health_connect_export.db")
        write_garmin(garmin, FIT_FILES)
        write_health_connect(database, HEART_RATES, STEPS)
        for path, parts, name in (
            (garmin, FIT_FILES, "files"),
            (database, HEART_RATES + STEPS, "rows"),
        ):
            result = measure(path)
            table.add_row(
                "Garmin, FIT" if path == garmin else "Health Connect",
                f"{parts:,} {name}",
                f"{result['seconds']:.1f}",
                f"{parts / result['seconds']:,.0f}",
                f"{result['peak'] / 1e6:.0f}",
            )
    return table


def _apple() -> "Table":
    from rich.table import Table

    table = Table(
        "size", "days", "seconds", "MB/s", "peak MB", "MB/s ratio", title="Apple Health export"
    )
    first_rate: float | None = None
    for megabytes in MEGABYTES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "export.xml")
            write_export(path, megabytes * 1_000_000)
            result, size = measure(path), path.stat().st_size / 1e6
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
    return table


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
