"""Workouts as rows: the invented person in every format, and what was measured meanwhile."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.record.workouts import SCHEMA, Workout
from fitness_assets.sources.exports import workouts as collected
from fitness_assets.sources.exports.apple_workouts import workout_of
from fitness_assets.sources.exports.parsing import convert_known
from fitness_assets.sources.exports.sessions import Sessions
from fitness_assets.sources.exports.stamps import StampClock
from fitness_assets.sources.exports.workouts import Workouts, is_workouts
from fitness_assets_tests.support.exports import import_path, shared_data

#: Columns of `expected_workouts.csv`, the column of a workout, and the factor to its unit.
COLUMNS = {
    "minutes": ("minutes", 1.0),
    "distance_m": ("distance_km", 0.001),
    "kcal": ("calories_burned", 1.0),
    "hr_mean": ("heart_rate_avg", 1.0),
    "hr_max": ("heart_rate_max", 1.0),
}
SPORTS = {"run": "running", "walk": "walking"}
RATES = frozenset({"hr_mean", "hr_max"})
#: By folder, the columns that it does not have. Health Connect's distances of the sample are those
#: of the day, spread over its minutes.
WITHOUT: dict[str, frozenset[str]] = {
    "samsung-health": frozenset(),
    "whoop": frozenset(),
    "withings/en-imperial": frozenset({"hr_max"}),
    "health-auto-export": frozenset(),
    "gadgetbridge": RATES | {"distance_m", "kcal"},
    "polar-account": RATES,
    "zepp": RATES,
    "mi-fitness": frozenset(),
    "huawei": frozenset(),
    "health-connect": RATES | {"distance_m", "kcal"},
    "google-takeout": frozenset(),
}
START = datetime(2026, 1, 4, 17, 5, tzinfo=UTC)


def workout(minutes: float = 42.0, activity: str | None = "running", **values: float) -> Workout:
    return Workout(
        start=START,
        local_start=START.replace(tzinfo=None),
        activity=activity,
        minutes=minutes,
        **values,
    )


@pytest.mark.parametrize("folder", WITHOUT)
def test_every_workout_has_the_expected_values(folder: str) -> None:
    with (shared_data("made-up") / "expected_workouts.csv").open() as file:
        expected = list(csv.DictReader(file))
    found = import_path(shared_data("made-up") / folder, zone=ZoneInfo("Europe/Berlin")).workouts
    assert len(found) == len(expected) == 2
    for row, stated in zip(found, expected, strict=True):
        local = datetime.fromisoformat(stated["local_start"])
        assert row["local_start"] == local
        assert row["start"] == local.replace(tzinfo=ZoneInfo("Europe/Berlin"))
        assert row["activity"] == SPORTS[stated["sport"]]
        for column, (name, factor) in COLUMNS.items():
            if column not in WITHOUT[folder]:
                assert row[name] == pytest.approx(float(stated[column]) * factor), name
            elif folder != "health-connect":
                assert name not in row


def test_the_real_sessions_of_fit_files_have_their_distance() -> None:
    found = import_path(shared_data("garmin-fit"), zone=ZoneInfo("UTC")).workouts
    assert found
    assert all(row["minutes"] > 0 for row in found)
    assert any("distance_km" in row for row in found)


def test_a_workout_that_is_delivered_twice_is_one_row() -> None:
    found = Workouts("x")
    assert found.add("ann", workout(heart_rate_avg=0.0)) == ("workouts", "activity_type")
    found.add("ann", workout(41.0, heart_rate_avg=148.0))
    found.add("bob", workout(activity=None))
    batch, *others = found.record_batches(None)
    assert is_workouts(batch)
    assert batch.schema.equals(SCHEMA)
    assert not others
    rows = batch.to_pylist()
    assert [(row["user_id"], row["minutes"]) for row in rows] == [("ann", 41.0), ("bob", 42.0)]
    assert rows[0]["heart_rate_avg"] == 148.0
    # The day's activity counts each delivery, as before.
    assert found.activities == {("ann", START.date()): (42.0, "running")}


def test_too_many_workouts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collected, "MAX_WORKOUTS", 1)
    found = Workouts("x")
    found.add("ann", workout())
    found.add("ann", workout())
    with pytest.raises(SourceError, match="x: more than 1 workouts"):
        found.add("bob", workout())


def test_a_negative_number_of_a_workout_is_missing() -> None:
    conversions = (("a", "distance_km", 0.001), ("b", "calories_burned", 1.0))
    assert convert_known({"a": "-1", "b": "-1.0"}, conversions) == {}
    assert convert_known({"a": -1, "b": 3}, conversions) == {"calories_burned": 3.0}
    with pytest.raises(ValueError, match="'fast' is not an amount"):
        convert_known({"a": "fast"}, conversions)


def test_what_an_app_measured_during_its_workout_belongs_to_it() -> None:
    sessions = Sessions()
    start = START.timestamp()
    later = workout(10.0)
    sessions.add("watch", workout(), start + 2520)
    sessions.add("phone", later, start + 600)
    sessions.close()
    sessions.add_amount("watch", (start, start + 600), "distance_km", 1.5)
    sessions.add_amount("watch", (start + 600, start + 2520), "distance_km", 4.7)
    # Across the start or the end, before it, or of an app without workouts.
    sessions.add_amount("watch", (start - 60, start + 60), "distance_km", 9.0)
    sessions.add_amount("watch", (start + 2500, start + 2600), "distance_km", 9.0)
    sessions.add_amount("scale", (start, start + 60), "distance_km", 9.0)
    for rate, seconds in ((140, 0), (156, 2520), (60, 2521), (61, -1)):
        sessions.add_heart_rate("watch", start + seconds, rate)
    found = list(sessions.workouts())
    assert found == [
        (workout(), {"distance_km": 6.2, "heart_rate_avg": 148.0, "heart_rate_max": 156}),
        (later, {}),
    ]


def statistics(kind: str, minutes: int, **values: str) -> dict[str, str]:
    end = START + timedelta(minutes=minutes)
    return {
        "type": f"HKQuantityTypeIdentifier{kind}",
        "startDate": f"{START:%Y-%m-%d %H:%M:%S} +0000",
        "endDate": f"{end:%Y-%m-%d %H:%M:%S} +0000",
        **values,
    }


def test_statistics_of_an_apple_workout_are_those_of_the_whole() -> None:
    attributes = {
        "workoutActivityType": "HKWorkoutActivityTypeSwimBikeRun",
        "startDate": f"{START:%Y-%m-%d %H:%M:%S} +0000",
        "duration": "1",
        "durationUnit": "hr",
        "totalDistance": "1",
        "totalDistanceUnit": "mi",
        "totalEnergyBurned": "418.4",
        "totalEnergyBurnedUnit": "kJ",
    }
    old = workout_of(attributes, [], StampClock(None))
    assert (old.minutes, old.distance_km) == (60.0, 1.609344)
    assert old.calories_burned == pytest.approx(100.0)
    assert (old.activity, old.heart_rate_avg) == ("swim_bike_run", None)
    found = workout_of(
        attributes,
        [
            statistics("HeartRate", 20, average="120", maximum="130", unit="count/min"),
            statistics("HeartRate", 60, average="148", maximum="171", unit="count/min"),
            statistics("DistanceCycling", 40, sum="20", unit="km"),
            statistics("DistanceSwimming", 20, sum="500", unit="m"),
            statistics("ActiveEnergyBurned", 60, sum="700", unit="kcal"),
            statistics("StepCount", 60, sum="700", unit="count"),
        ],
        StampClock(None),
    )
    assert (found.heart_rate_avg, found.heart_rate_max) == (148.0, 171.0)
    assert (found.distance_km, found.calories_burned) == (20.5, 700.0)


def test_a_workout_in_an_unknown_unit_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "export.xml").write_text(
        '<HealthData><Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="1" '
        'startDate="2026-01-04 18:05:00 +0100"><WorkoutStatistics '
        'type="HKQuantityTypeIdentifierDistanceCycling" startDate="2026-01-04 18:05:00 +0100" '
        'endDate="2026-01-04 18:06:00 +0100" sum="1" unit="furlong"/></Workout>'
        '<Workout workoutActivityType="HKWorkoutActivityTypeYoga" duration="30" '
        'startDate="2026-01-05 18:05:00 +0100"/></HealthData>'
    )
    found = import_path(tmp_path, zone=ZoneInfo("Europe/Berlin"))
    assert [row["activity"] for row in found.workouts] == ["yoga"]
    ((_, place, reason),) = found.quarantined
    assert (place, reason) == (
        "line 1",
        "a workout with sum in furlong: the unit is not supported",
    )
