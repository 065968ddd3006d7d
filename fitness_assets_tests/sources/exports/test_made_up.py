"""The invented person of the shared data, in every format: each day equals `expected.csv`.

That shows only that a reader follows the description of a format.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets_tests.support.exports import Imported, import_path, shared_data

BERLIN = ZoneInfo("Europe/Berlin")
#: Columns of `expected.csv`, the column of the record, and the factor to its unit.
COLUMNS = {
    "steps": ("steps", 1.0),
    "distance_m": ("distance_km", 0.001),
    "kcal": ("calories_burned", 1.0),
    "heart_rate_mean": ("heart_rate_avg", 1.0),
    "resting_heart_rate": ("resting_heart_rate", 1.0),
    "sleep_min": ("sleep_hours", 1 / 60),
    "light_min": ("sleep_light", 1.0),
    "deep_min": ("sleep_deep", 1.0),
    "rem_min": ("sleep_rem", 1.0),
    "awake_min": ("sleep_awake", 1.0),
    "hrv_rmssd": ("hrv_rmssd", 1.0),
    "spo2": ("spo2", 1.0),
    "respiration": ("respiration_rate", 1.0),
    "floors": ("floors", 1.0),
    "weight_kg": ("weight_kg", 1.0),
}
OVERNIGHT = frozenset({"hrv_rmssd", "spo2", "respiration"})


#: By day of waking, the local start and end of the night.
NIGHTS = {
    "2026-01-03": ("2026-01-02 23:12:00", "2026-01-03 06:47:00"),
    "2026-01-04": ("2026-01-03 23:40:00", "2026-01-04 07:30:00"),
    "2026-01-05": ("2026-01-05 00:20:00", "2026-01-05 06:40:00"),
    "2026-01-06": ("2026-01-05 22:55:00", "2026-01-06 06:55:00"),
}


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a folder of the invented person lacks.

    Attributes
    ----------
    without : set of str
        Columns of `expected.csv` that the format does not carry.
    tolerances : dict
        Absolute differences by which a column may differ, where the format rounds.
    energy : str
        The kind of the energy, ``total`` or ``active``.
    activities : bool
        Whether the format has the two workouts.
    """

    without: frozenset[str] = frozenset()
    tolerances: dict[str, float] = field(default_factory=dict)
    energy: str = "total"
    activities: bool = True


FOLDERS = {
    "samsung-health": Expectation(without=OVERNIGHT | {"resting_heart_rate"}),
    "whoop": Expectation(
        without=frozenset({"steps", "distance_m", "weight_kg", "floors"}),
        tolerances={"hrv_rmssd": 0.5},
    ),
    "withings/de": Expectation(
        without=OVERNIGHT | {"heart_rate_mean", "resting_heart_rate", "floors"},
        activities=False,
    ),
    "withings/en-imperial": Expectation(
        without=OVERNIGHT | {"heart_rate_mean", "floors"}, tolerances={"weight_kg": 0.01}
    ),
    "health-auto-export": Expectation(
        without=frozenset({"hrv_rmssd"}), tolerances={"distance_km": 1e-3}
    ),
    "oura/trends-minutes": Expectation(
        without=frozenset({"heart_rate_mean", "spo2", "floors", "weight_kg"}),
        tolerances={"hrv_rmssd": 0.5},
        activities=False,
    ),
    "oura/trends-seconds": Expectation(
        without=frozenset({"heart_rate_mean", "spo2", "floors", "weight_kg"}),
        tolerances={"hrv_rmssd": 0.5},
        activities=False,
    ),
    "oura/account": Expectation(
        without=frozenset({"floors", "weight_kg"}),
        tolerances={"hrv_rmssd": 0.5},
        activities=False,
    ),
    "gadgetbridge": Expectation(
        without=OVERNIGHT | {"distance_m", "kcal", "resting_heart_rate", "floors", "weight_kg"}
    ),
    # The weight of each day is that of the profile.
    "polar-account": Expectation(
        without=OVERNIGHT | {"distance_m", "resting_heart_rate", "floors", "weight_kg"}
    ),
    "zepp": Expectation(without=OVERNIGHT | {"resting_heart_rate", "floors"}, energy="active"),
    "mi-fitness": Expectation(
        without=frozenset(
            {"hrv_rmssd", "respiration", "resting_heart_rate", "floors", "weight_kg"}
        ),
        tolerances={"spo2": 0.5},
        energy="active",
    ),
    # Its floors are zeros.
    "huawei": Expectation(
        without=frozenset({"hrv_rmssd", "respiration", "floors"}),
        tolerances={"calories_burned": 0.01, "distance_km": 0.001},
        energy="active",
    ),
    "health-connect": Expectation(tolerances={"distance_km": 1e-4}),
}


def expected_days(folder: str) -> Iterator[tuple[str, dict[str, float | None]]]:
    """The date and the values of each day that the format carries, by column of the record."""
    expectation = FOLDERS[folder]
    with (shared_data("made-up") / "expected.csv").open() as file:
        for row in csv.DictReader(file):
            row["kcal"] = row[f"kcal_{expectation.energy}"]
            values = {
                name: float(row[column]) * factor if row[column] else None
                for column, (name, factor) in COLUMNS.items()
                if column not in expectation.without
            }
            if folder == "whoop" and row["date"] == "2026-01-06":
                # The last cycle is not over.
                values |= {"calories_burned": None, "heart_rate_avg": None}
            yield row["date"], values


def imported_days(folder: str) -> tuple[Imported, Path]:
    path = shared_data("made-up") / folder
    return import_path(path, zone=BERLIN), path


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_day_has_the_expected_values(folder: str) -> None:
    imported, _ = imported_days(folder)
    tolerances = FOLDERS[folder].tolerances
    for day, values in expected_days(folder):
        record = imported.record(day)
        for name, value in values.items():
            found = record.get(name)
            expected = (
                None if value is None else pytest.approx(value, abs=tolerances.get(name, 1e-6))
            )
            assert found == expected, (day, name)
        start, end = NIGHTS[day]
        assert (str(record["sleep_start"]), str(record["sleep_end"])) == (start, end)
        if "calories_burned" in record:
            assert record["calories_kind"] == FOLDERS[folder].energy
    assert len(imported.records) == 4


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_longest_workout_is_the_activity_of_its_day(folder: str) -> None:
    imported, _ = imported_days(folder)
    found = {str(day): record.get("activity_type") for (_, day), record in imported.records.items()}
    workouts = {"2026-01-04": "running", "2026-01-06": "walking"}
    expected = workouts if FOLDERS[folder].activities else {}
    assert found == {day: expected.get(day) for day in found}
