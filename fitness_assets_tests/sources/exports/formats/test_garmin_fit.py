"""FIT files: counters, 16-bit times, midnight, sessions, sleep, and damage."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from fitness_assets.sources.derived import stored_schema_of
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.merge import merge_days
from fitness_assets_tests.support.exports import (
    Imported,
    example_files,
    import_path,
    shared_data,
    write_files,
)
from fitness_assets_tests.support.fit import Fields, fit_file

WALKING, RUNNING, CYCLING = 6, 1, 2
#: Local midnight of 2026-01-03 in a zone one hour ahead of UTC, in FIT's time.
MIDNIGHT = int(datetime(2026, 1, 2, 23, tzinfo=UTC).timestamp()) - 631_065_600
INFO = ("monitoring_info", {"timestamp": MIDNIGHT, "local_timestamp": MIDNIGHT + 3600})


def monitoring(seconds: int, **fields: int) -> tuple[str, Fields]:
    return ("monitoring", {"timestamp": MIDNIGHT + seconds, **fields})


def fit(folder: Path, *messages: tuple[str, Fields], **options: object) -> Imported:
    return import_path(write_files(folder, {"a.fit": fit_file(messages)}), **options)


def test_the_last_counters_of_the_types_on_foot_are_added(tmp_path: Path) -> None:
    found = fit(
        tmp_path,
        INFO,
        monitoring(3600, cycles=100, activity_type=WALKING),
        monitoring(7200, cycles=300, activity_type=WALKING),
        monitoring(7200, cycles=50, activity_type=RUNNING),
        monitoring(7200, cycles=999, activity_type=CYCLING),
    )
    assert found.record("2026-01-03")["steps"] == 350


def test_counters_at_midnight_belong_to_the_day_that_ends(tmp_path: Path) -> None:
    found = fit(
        tmp_path,
        INFO,
        monitoring(86_400, cycles=8000, activity_type=WALKING),
        monitoring(86_400 + 60, cycles=10, activity_type=WALKING),
    )
    steps = {str(day): record["steps"] for (_, day), record in found.records.items()}
    assert steps == {"2026-01-03": 8000, "2026-01-04": 10}


def test_a_16_bit_time_rolls_over(tmp_path: Path) -> None:
    moments = [3600, 60_000, 86_400 + 3600]
    rates = [("monitoring", {"timestamp_16": (MIDNIGHT + each) & 0xFFFF, "heart_rate": 60 + n})
             for n, each in enumerate(moments)]  # fmt: skip
    found = fit(tmp_path, INFO, *rates)
    assert found.record("2026-01-03")["heart_rate_avg"] == 60.5
    assert found.record("2026-01-04")["heart_rate_avg"] == 62


def test_energy_at_rest_is_the_share_of_the_day_that_was_monitored(tmp_path: Path) -> None:
    name, fields = INFO
    info = (name, {**fields, "resting_metabolic_rate": 1700})
    found = fit(
        tmp_path, info, monitoring(43_200, active_calories=100, activity_type=WALKING)
    ).record("2026-01-03")
    assert (found["calories_burned"], found["calories_kind"]) == (950, "total")


def test_the_steps_of_two_devices_are_not_added(tmp_path: Path) -> None:
    for serial, steps in ((1, 5000), (2, 6000)):
        content = fit_file(
            [
                ("file_id", {"type": 32, "serial_number": serial}),
                INFO,
                monitoring(80_000, cycles=steps, activity_type=WALKING),
            ]
        )
        write_files(tmp_path, {f"{serial}.fit": content})
    assert import_path(tmp_path).record("2026-01-03")["steps"] == 6000


def test_a_scale_that_is_still_measuring_has_no_weight(tmp_path: Path) -> None:
    messages = [("weight_scale", {"timestamp": MIDNIGHT + 3600, "weight": 0xFFFE})]
    messages += [("weight_scale", {"timestamp": MIDNIGHT + 60, "weight": 8140})]
    assert fit(tmp_path, *messages).record("2026-01-02")["weight_kg"] == 81.4


def test_times_without_a_date_are_quarantined(tmp_path: Path) -> None:
    session = ("session", {"start_time": 1000, "total_timer_time": 60_000, "sport": RUNNING})
    weight = ("weight_scale", {"timestamp": MIDNIGHT + 60, "weight": 8140})
    found = fit(tmp_path, session, weight)
    ((_, place, reason),) = found.quarantined
    assert place == "session, message 1"
    assert "1000 seconds after the start of the device" in reason


@pytest.mark.parametrize(
    ("sport", "sub_sport", "expected"),
    [(10, 20, "gym_workout"), (4, 1, "running"), (10, 0, "gym_workout"), (17, 0, "hiking")],
)
def test_a_sub_sport_names_the_activity_of_a_general_sport(
    tmp_path: Path, sport: int, sub_sport: int, expected: str
) -> None:
    fields = {
        "start_time": MIDNIGHT + 3600,
        "total_timer_time": 60_000,
        "sport": sport,
        "sub_sport": sub_sport,
    }
    assert fit(tmp_path, ("session", fields)).record("2026-01-03")["activity_type"] == expected


@pytest.mark.parametrize("change", ["cut", "checksum"])
def test_what_precedes_damage_is_used_and_the_damage_is_named(tmp_path: Path, change: str) -> None:
    last = monitoring(9000, cycles=300 if change == "checksum" else 400, activity_type=WALKING)
    content = fit_file([INFO, monitoring(7200, cycles=300, activity_type=WALKING), last])
    content = content[:-3] if change == "cut" else content[:-1] + bytes([content[-1] ^ 1])
    found = import_path(write_files(tmp_path, {"a.fit": content}))
    ((file, _, reason),) = found.quarantined
    assert file == "a.fit"
    assert reason.startswith("a.fit is cut off or damaged after")
    assert found.record("2026-01-03")["steps"] == 300


def test_a_daily_summary_takes_precedence_over_fit_files(tmp_path: Path) -> None:
    summary = '[{"calendarDate": "2026-01-03", "totalSteps": 7000, "totalKilocalories": 2400}]'
    write_files(tmp_path, example_files("garmin_fit"))
    write_files(tmp_path, {"UDSFile_2026.json": summary})
    options = ImportOptions(user="ann", zone=ZoneInfo("Europe/Berlin"))
    batches = read_export(tmp_path, options, lambda *_: None)
    tables = [
        pa.table(batch.to_pydict(), stored_schema_of(batch.schema.names)) for batch in batches
    ]
    merged = merge_days(pa.concat_tables(tables, promote_options="default")).to_pylist()
    (day,) = [each for each in merged if str(each["date"]) == "2026-01-03"]
    assert (day["steps"], day["calories_burned"]) == (7000, 2400)
    assert day["heart_rate_avg"] == 72
    assert day["source"] == "garmin, garmin_fit"


def test_the_fit_files_of_a_garmin_export_are_found_in_the_zip_within_it() -> None:
    found = import_path(shared_data("made-up") / "garmin-export", zone=ZoneInfo("Europe/Berlin"))
    assert found.quarantined == []
    assert found.record("2014-12-27")["steps"] == 3173
    assert found.record("2017-06-11")["activity_type"] == "walking"
    assert found.record("2026-01-03")["steps"] == 8123
