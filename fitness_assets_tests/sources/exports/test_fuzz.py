"""Whatever happens to a file: records, what is left out, or an error of our own that says why."""

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.layout import parse
from fitness_assets_tests.sources.exports import (
    test_apple_health,
    test_fitabase,
    test_fitbit_web,
    test_google_fit,
    test_takeout,
)
from fitness_assets_tests.sources.exports.test_reader import EXAMPLES
from fitness_assets_tests.support.exports import pack, put, take

MUTATIONS = 40
# What breaks parsers: quotes, brackets, signs, digits, zeros, ends of lines, halves of letters.
SNIPPETS = [
    *(b'"', b"'", b"[", b"{", b"<", b">", b"&", b",", b";", b"\n", b"\r", b"\x00", b"\xff", b"-"),
    *(b"9" * 30, b"1e999", b"NaN", b"Infinity", b"null", b"\\ud800", b"[" * 3000, b"0000-00-00"),
    *(b"99/99/99 99:99:99", b"true", b"\xe2\x80", b"PK\x03\x04", b"+99:99", b"\xc2\xb2"),
]
ODD: list[Any] = [
    None,
    True,
    -1,
    1e300,
    math.inf,
    math.nan,
    10**30,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    [None],
]
LOGS = (
    '[{"logId": 1, "dateOfSleep": "2021-03-02", "endTime": "2021-03-02T07:00:00.000", '
    '"minutesAsleep": 400}, {"logId": 2, "activityName": "Run", "startTime": '
    '"03/02/21 17:05:15", "activeDuration": 5}]'
)
OLD, NEW = test_takeout.OLD, test_takeout.NEW
FILES: dict[str, dict[str, str]] = {
    "fitabase": {
        "a.csv": test_fitabase.daily(*(test_fitabase.day(f"4/{d}/2016") for d in range(9, 15))),
        "b.csv": "Id,Time,Value\n77,4/12/2016 7:21:00 AM,60\n77,4/13/2016 7:21:05 PM,62\n",
    },
    "fitbit_web": {"a.csv": test_fitbit_web.export()},
    "takeout": {
        f"{OLD}steps-2021-03-01.json": test_takeout.minutes("2021-03-02T10:00", [60, 0, 4]),
        f"{OLD}resting_heart_rate-2021-03-01.json": '[{"dateTime": "03/02/21 00:00:00", '
        '"value": {"date": "03/02/21", "value": 58.4}}]',
        f"{OLD}heart_rate-2021-03-01.json": '[{"dateTime": "03/02/21 00:00:00", '
        '"value": {"bpm": 60, "confidence": 2}}]',
        f"{OLD}very_active_minutes-2021-03-01.json": test_takeout.day_values({"03/02/21": 5}),
        f"{OLD}sleep-2021-03-01.json": LOGS,
        f"{OLD}exercise-1.json": LOGS,
        f"{NEW}distance_2026-05-01.csv": "timestamp,distance,data source\n"
        "2026-05-02T08:00:00Z,50,Band\n",
        f"{NEW}UserSleeps_2026-05-01.csv": "sleep_id,minutes_asleep,end_utc_offset,sleep_end,"
        "data_source\n9,420,-07:00,2026-05-02 14:00:00+0000,Band\n",
    },
    "apple_health": {
        "export.xml": test_apple_health.export(
            '<ExportDate value="2023-05-01 10:36:11 +0100"/>',
            test_apple_health.record("StepCount", 4000, "count"),
            test_apple_health.record("HeartRate", 60, "count/min"),
            test_apple_health.ME,
            test_apple_health.record("BodyMass", 60, "kg"),
            test_apple_health.workout("Running", 3, "min"),
            test_apple_health.asleep("2023-04-02 02:00:00 +0100", "2023-04-02 05:00:00 +0100"),
        )
    },
    "garmin": {
        "a.json": EXAMPLES["garmin"],
        "b_sleepData.json": '[{"sleepStartTimestampGMT": "2020-01-01T22:30:00.0", '
        '"sleepEndTimestampGMT": "2020-01-02T06:30:00.0", "deepSleepSeconds": 3600}]',
        "c_summarizedActivities.json": '[{"summarizedActivitiesExport": [{"activityType": "x", '
        '"startTimeGmt": 1577948400000, "duration": 5.0}]}]',
    },
    "garmin_api": {
        "a.json": EXAMPLES["garmin_api"],
        "b.json": '{"sleeps": [{"userId": "u", "summaryId": "s", "startTimeInSeconds": 1577948400,'
        ' "durationInSeconds": 60, "deepSleepDurationInSeconds": 60}]}',
    },
    "google_fit": {"a.csv": f"{test_google_fit.HEADER}\n2018-04-03{',5' * 17}\n"},
    "tidy": {
        "a.csv": "user_id,date,steps,ingested_at,sex\n7,2023-04-02,1200,2023-04-03,male\n" * 2
    },
}


def mutants(content: bytes, seed: str) -> Iterator[bytes]:
    draw = random.Random(seed)  # noqa: S311
    for _ in range(MUTATIONS):
        mutant = bytearray(content)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(mutant) + 1)
            match draw.randrange(4):
                case 0:
                    mutant[at : at + draw.choice([1, 3, 40])] = b""
                case 1:
                    mutant[at : at + 1] = bytes([draw.randrange(256)])
                case 2:
                    mutant[at:at] = draw.choice(SNIPPETS)
                case _:
                    mutant[at:at] = mutant[at // 2 : at // 2 + draw.choice([5, 200])]
        yield bytes(mutant)


def survive(path: Path, **told: object) -> None:
    try:
        refused = take(path, **told).refused
    except SourceError as error:
        refused = [(str(path), "", str(error))]
    assert all(file and reason and "\n" not in reason for file, _, reason in refused)


@pytest.mark.parametrize("name", FILES)
def test_mutated_text(tmp_path: Path, name: str) -> None:
    files = dict(FILES[name])
    for member, content in files.items():
        for number, mutant in enumerate(mutants(content.encode(), member)):
            survive(put(tmp_path / f"{number}", {**files, member: mutant}))


def misfits(value: Any) -> Iterator[Any]:
    """`value` with each of its parts in turn replaced by what it should not be."""
    yield from ODD
    if isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: odd} for odd in misfits(part))
            yield {name: other for name, other in value.items() if name != key}
    elif isinstance(value, list) and value:
        yield from ([odd, *value] for odd in misfits(value[0]))


@pytest.mark.parametrize("name", ["takeout", "garmin", "garmin_api"])
def test_values_of_the_wrong_kind(tmp_path: Path, name: str) -> None:
    files = FILES[name]
    for member in (member for member in files if member.endswith(".json")):
        for misfit in misfits(json.loads(files[member])):
            survive(put(tmp_path, {**files, member: json.dumps(misfit)}))


@pytest.mark.parametrize("name", ["apple_health", "takeout", "tidy"])
def test_mutated_zips(tmp_path: Path, name: str) -> None:
    content = pack(tmp_path / "x.zip", dict(FILES[name])).read_bytes()
    for mutant in mutants(content, name):
        (tmp_path / "x.zip").write_bytes(mutant)
        survive(tmp_path / "x.zip")


def test_mutated_parquet(tmp_path: Path) -> None:
    table = pa.table({"user_id": ["7"] * 9, "date": ["2023-04-02"] * 9, "steps": list(range(9))})
    pq.write_table(table.slice(0, 1), tmp_path / "x.parquet")
    for mutant in mutants((tmp_path / "x.parquet").read_bytes(), "parquet"):
        (tmp_path / "x.parquet").write_bytes(mutant)
        survive(tmp_path / "x.parquet")
        survive(tmp_path / "x.parquet", layout=parse({"columns": {"date": "date"}}))
