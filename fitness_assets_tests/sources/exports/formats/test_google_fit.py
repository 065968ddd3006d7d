from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets_tests.support.exports import import_path, write_files, write_zip

HEADER = (
    "Date,Move Minutes count,Calories (kcal),Distance (m),Heart Points,Heart Minutes,"
    "Low latitude (deg),Low longitude (deg),High latitude (deg),High longitude (deg),"
    "Step count,Average weight (kg),Max weight (kg),Min weight (kg),Inactive duration (ms),"
    "Walking duration (ms),Running duration (ms),Light sleeping duration (ms)"
)
NAME = "Takeout/Fit/Daily activity metrics/Daily activity metrics.csv"


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    rows = (
        "2018-04-03,19,1546.5,852.2,7,7,51.5,-0.1,51.6,-0.2,1627,72,72,72,80000000,1200000,60000,"
        "20000000\n2018-04-04,,1473.25,,,,,,,,,,,,,,,\n"
    )
    imported = import_path(write_zip(tmp_path / "takeout.zip", {NAME: f"{HEADER}\n{rows}"}))
    assert imported.quarantined == []
    assert imported.record("2018-04-03") == {
        "steps": 1627,
        "distance_km": 0.8522,
        "calories_burned": 1546.5,
        "calories_kind": "total",
        "active_minutes": 19,
        "activity_type": "walking",
        "weight_kg": 72.0,
        "source": "google_fit",
    }
    # Missing values stay missing, and the last weight is carried forward.
    assert imported.record("2018-04-04").keys() == {
        "calories_burned",
        "calories_kind",
        "weight_kg",
        "source",
    }


def test_some_files_have_a_heart_rate(tmp_path: Path) -> None:
    text = (
        "Date,Step count,Min heart rate (bpm),Average heart rate (bpm),Max heart rate (bpm),"
        "Biking duration (ms),Walking duration (ms)\n2018-04-03,1627.0,50,72.5,120,900000,3\n"
    )
    found = import_path(write_files(tmp_path, {"x.csv": text})).record("2018-04-03")
    assert found["heart_rate_avg"] == 72.5
    assert found["activity_type"] == "cycling"


def test_location_is_never_read(tmp_path: Path) -> None:
    # If they were read, these values would be quarantined.
    row = "2018-04-03,19,1546.5,852.2,7,7,north,-0.1,nan,,1627,,,,,,,"
    imported = import_path(write_files(tmp_path, {"x.csv": f"{HEADER}\n{row}\n"}))
    assert imported.quarantined == []
    assert len(imported.records) == 1


def test_a_file_without_user_ids_needs_a_user(tmp_path: Path) -> None:
    write_files(tmp_path, {"x.csv": f"{HEADER}\n"})
    with pytest.raises(SourceError, match="has no user ids: name the user"):
        import_path(tmp_path, user=None)
