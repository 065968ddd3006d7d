from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets_tests.support.exports import USER, import_path, write_files, write_zip

if TYPE_CHECKING:
    from fitness_assets.sources.exports.report import FileReport

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
    # Missing values stay missing.
    assert imported.record("2018-04-04").keys() == {"calories_burned", "calories_kind", "source"}


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


# In German and Spanish; dashes, accents and case differ between exports, and within one.
TRANSLATED = """\
Datum,Anzahl der Aktivitätsminuten,Kalorien (kcal),Distanz (m),Schrittzahl,\
Durchschnittsgewicht (kg),Inaktiv \u2013 Dauer (ms),Laufen \u2013 Dauer (ms)
Datum,Aktive Minuten,Kalorien (kcal),Distanz (m),Schrittzahl,\
Durchschnittsgewicht (kg),Schlafen \u2013 Dauer (ms),Laufen - Dauer (ms)
Fecha,Recuento de Minutos Activos,Calorías (kcal),Distancia (m),Recuento de pasos,\
Peso medio (kg),Dormir duración (ms),Correr duración (ms)
Fecha,recuento de minutos activos,Calori\u0301as (kcal),Distancia (m),Recuento de Pasos,\
Peso medio (kg),Inactividad duracio\u0301n (ms),Correr duracion (ms)
""".splitlines()


@pytest.mark.parametrize("header", TRANSLATED)
def test_columns_in_other_languages(tmp_path: Path, header: str) -> None:
    text = f"{header}\n2021-05-03,33,2100.5,5200,7300,70.5,7000000,1500000\n"
    imported = import_path(write_files(tmp_path, {"Tägliche Aktivitätswerte.csv": text}))
    assert imported.quarantined == []
    assert imported.record("2021-05-03") == {
        "steps": 7300,
        "distance_km": 5.2,
        "calories_burned": 2100.5,
        "calories_kind": "total",
        "active_minutes": 33,
        "activity_type": "running",
        "weight_kg": 70.5,
        "source": "google_fit",
    }


def test_files_of_one_day_are_left_to_the_file_of_all_days(tmp_path: Path) -> None:
    interval = "Start time,End time,Calories (kcal),Step count\n00:00:00.000+01:00,,1.5,10\n"
    days = {f"Daily activity metrics/2020-03-{day}.csv": interval for day in (10, 11, 12)}
    with pytest.raises(SourceError, match="holds intervals of one day, which are not read"):
        import_path(write_files(tmp_path, days))
    everything = "Date,Calories (kcal),Step count\n2020-03-10,2000,9000\n"
    imported = import_path(write_files(tmp_path, {"Daily activity metrics.csv": everything}))
    assert imported.record("2020-03-10")["steps"] == 9000
    first, others = imported.quarantined
    assert first[0] == "Daily activity metrics/2020-03-10.csv"
    assert others[2].startswith("and 2 more like it: ")


def test_columns_in_a_language_that_is_not_known_are_named(tmp_path: Path) -> None:
    header = "Date,Nombre de pas,Calories (kcal),Distance (m),Low latitude (deg)"
    path = write_files(tmp_path, {"x.csv": f"{header}\n2021-05-03,7300,2100.5,5200,\n"})
    reports: list[FileReport] = []
    options = ImportOptions(user=USER)
    assert list(read_export(path, options, lambda *_: None, report=reports.append))
    assert reports[0].reason == "columns not read: Nombre de pas"
