"""Withings: metrics by file name, units by header, languages, and the offset of the tracker."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.errors import SourceError
from fitness_assets_tests.support.exports import import_path, write_files


@pytest.mark.parametrize(
    ("header", "value", "kg"),
    [
        ("Weight (kg)", "81.4", 81.4),
        ("Gewicht (kg)", "81.4", 81.4),
        ("Weight (lb)", "179.46", 81.401687),
    ],
)
def test_the_header_gives_the_unit_of_weights(
    tmp_path: Path, header: str, value: str, kg: float
) -> None:
    text = f"Date,{header},Comments\n2026-01-03 07:15:00,{value},\n2026-01-03 06:15:00,99,\n"
    found = import_path(write_files(tmp_path, {"weight.csv": text}))
    assert found.record("2026-01-03")["weight_kg"] == kg


def test_heights_in_feet_and_inches_are_read(tmp_path: Path) -> None:
    text = "Date,Height (in)\n2026-01-03 07:15:00,5' 10''\n"
    found = import_path(write_files(tmp_path, {"height.csv": text}))
    assert found.record("2026-01-03")["height_cm"] == pytest.approx(177.8)


def test_two_sleeps_of_a_day_are_summed(tmp_path: Path) -> None:
    text = (
        "von,bis,leicht (s),tief (s),rem (s),wach (s),Aufwachen\n"
        "2026-01-02T23:00:00+01:00,2026-01-03T03:00:00+01:00,14400,0,0,0,1\n"
        "2026-01-03T04:00:00+01:00,2026-01-03T06:00:00+01:00,3600,0,1800,1800,1\n"
    )
    found = import_path(write_files(tmp_path, {"sleep.csv": text}), zone=ZoneInfo("Asia/Tokyo"))
    assert found.record("2026-01-03")["sleep_hours"] == 5.5


TRACKER = 'start,duration,value\n2026-01-02T15:30:00-08:00,"[60,60]","[60,70]"\n'


def test_the_tracker_is_read_in_the_zone_of_the_activities(tmp_path: Path) -> None:
    activities = (
        "from,to,from (manual),to (manual),Timezone,Activity type,Data,GPS,Modified\n"
        "2026-01-04T18:05:00+01:00,2026-01-04T18:47:00+01:00,,,Europe/Berlin,Running,{},[],\n"
    )
    write_files(tmp_path, {"raw_hr_hr.csv": TRACKER, "activities.csv": activities})
    assert import_path(tmp_path).record("2026-01-03")["heart_rate_avg"] == 65


def test_the_tracker_without_a_zone_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"raw_hr_hr.csv": TRACKER})
    with pytest.raises(SourceError, match="declare --timezone"):
        import_path(tmp_path)


def test_the_days_of_the_aggregates_come_before_the_tracker(tmp_path: Path) -> None:
    files = {
        "aggregates_steps.csv": "date,value\n2026-01-03,8000\n",
        "raw_tracker_steps.csv": TRACKER,
    }
    write_files(tmp_path, files)
    found = import_path(tmp_path, zone=ZoneInfo("Europe/Berlin"))
    assert found.record("2026-01-03")["steps"] == 8000
    (tmp_path / "aggregates_steps.csv").unlink()
    found = import_path(tmp_path, zone=ZoneInfo("Europe/Berlin"))
    assert found.record("2026-01-03")["steps"] == 130


def test_columns_in_an_unknown_language_are_named(tmp_path: Path) -> None:
    text = "Date,Poids (kg),Commentaires\n2026-01-03 07:15:00,81.4,\n"
    write_files(tmp_path, {"weight.csv": text})
    with pytest.raises(SourceError, match=r"Poids \(kg\).*a layout can describe them"):
        import_path(tmp_path)
