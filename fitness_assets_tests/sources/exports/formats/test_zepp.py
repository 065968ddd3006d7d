"""Zepp: naps within a row, nights that were not recorded, missing values, and UTC."""

from pathlib import Path
from zoneinfo import ZoneInfo

from fitness_assets_tests.support.exports import import_path, write_files

SLEEP = "date,deepSleepTime,shallowSleepTime,wakeTime,start,stop,REMTime,naps\n"


def test_naps_with_commas_shift_no_value(tmp_path: Path) -> None:
    text = (
        SLEEP + "2026-01-04,100,250,20,2026-01-03 22:40:00+0000,2026-01-04 06:30:00+0000,100,"
        '[{"start": "2026-01-04 14:00:00+0000", "end": "2026-01-04 14:20:00+0000"}]\n'
    )
    found = import_path(write_files(tmp_path, {"SLEEP.csv": text}), zone=ZoneInfo("Europe/Berlin"))
    assert found.quarantined == []
    record = found.record("2026-01-04")
    assert record["sleep_hours"] == 7.5
    assert str(record["sleep_start"]) == "2026-01-03 23:40:00"


def test_a_night_that_starts_when_it_stops_was_not_recorded(tmp_path: Path) -> None:
    text = (
        SLEEP + "2026-01-04,100,250,20,2026-01-03 22:40:00+0000,2026-01-03 22:40:00+0000,0,null\n"
    )
    text += "2026-01-05,100,200,20,2026-01-04 22:40:00+0000,2026-01-05 03:40:00+0000,0,null\n"
    found = import_path(write_files(tmp_path, {"SLEEP.csv": text}))
    assert [str(day) for _, day in found.records] == ["2026-01-05"]
    assert "sleep_rem" not in found.record("2026-01-05")


def test_a_sport_belongs_to_its_local_day(tmp_path: Path) -> None:
    text = "type,startTime,sportTime(s),distance(m),calories(kcal)\n"
    text += "1,2026-01-04 23:30:00+0000,2520,-1,455.0\n"
    found = import_path(write_files(tmp_path, {"SPORT.csv": text}), zone=ZoneInfo("Europe/Berlin"))
    assert found.record("2026-01-05")["activity_type"] == "running"
