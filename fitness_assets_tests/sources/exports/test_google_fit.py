from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets_tests.support.exports import pack, put, take

HEADER = (
    "Date,Move Minutes count,Calories (kcal),Distance (m),Heart Points,Heart Minutes,"
    "Low latitude (deg),Low longitude (deg),High latitude (deg),High longitude (deg),"
    "Step count,Average weight (kg),Max weight (kg),Min weight (kg),Inactive duration (ms),"
    "Walking duration (ms),Running duration (ms),Light sleeping duration (ms)"
)
NAME = "Takeout/Fit/Daily activity metrics/Daily activity metrics.csv"


def test_a_day_by_the_names_of_its_columns(tmp_path: Path) -> None:
    rows = (
        "2018-04-03,19,1546.5,852.2,7,7,51.5,-0.1,51.6,-0.2,1627,72,72,72,80000000,1200000,60000,"
        "20000000\n2018-04-04,,1473.25,,,,,,,,,,,,,,,\n"
    )
    imported = take(pack(tmp_path / "takeout.zip", {NAME: f"{HEADER}\n{rows}"}))
    assert imported.refused == []
    assert imported.of("2018-04-03") == {
        "steps": 1627,
        "distance_km": 0.8522,
        "calories_burned": 1546.5,
        "calories_kind": "total",
        "active_minutes": 19,
        "activity_type": "walking",
        "weight_kg": 72.0,
        "source": "google_fit",
    }
    # What is missing is missing, and the weight of the last weighing stands.
    assert imported.of("2018-04-04").keys() == {
        "calories_burned",
        "calories_kind",
        "weight_kg",
        "source",
    }


def test_columns_vary_and_some_people_have_a_heart_rate(tmp_path: Path) -> None:
    text = (
        "Date,Step count,Min heart rate (bpm),Average heart rate (bpm),Max heart rate (bpm),"
        "Biking duration (ms),Walking duration (ms)\n2018-04-03,1627.0,50,72.5,120,900000,3\n"
    )
    found = take(put(tmp_path, {"x.csv": text})).of("2018-04-03")
    assert found["heart_rate_avg"] == 72.5
    assert found["activity_type"] == "cycling"


def test_location_is_never_read(tmp_path: Path) -> None:
    # Were it, these would be refused.
    row = "2018-04-03,19,1546.5,852.2,7,7,north,-0.1,nan,,1627,,,,,,,"
    imported = take(put(tmp_path, {"x.csv": f"{HEADER}\n{row}\n"}))
    assert imported.refused == []
    assert len(imported.days) == 1


def test_a_file_of_one_person_needs_a_user(tmp_path: Path) -> None:
    put(tmp_path, {"x.csv": f"{HEADER}\n"})
    with pytest.raises(SourceError, match="does not say whose it is: name the user"):
        take(tmp_path, user=None)
