"""Strava: UTC dates, columns that occur twice, tags, languages, and the real file."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.registry import detect_format
from fitness_assets_tests.support.exports import import_path, shared_data, write_files

OLD = "id,date,name,type,description,elapsed_time,distance,commute,gear,filename\n"
GERMAN = (
    "Aktivitäts-ID,Aktivitätsdatum,Name der Aktivität,Aktivitätsart,Aktivitätsbeschreibung,"
    "Verstrichene Zeit,Distanz,Dateiname,Verstrichene Zeit,Bewegungszeit,Distanz\n"
)


def test_dates_are_in_utc(tmp_path: Path) -> None:
    text = OLD + "1,2018-09-12 15:02:23,Morning,Ride,,783,3681.0,true,,activities/1.gpx\n"
    write_files(tmp_path, {"activities.csv": text})
    days = {
        zone: [str(day) for _, day in import_path(tmp_path, zone=ZoneInfo(zone)).records]
        for zone in ("Europe/Berlin", "Asia/Tokyo")
    }
    assert days == {"Europe/Berlin": ["2018-09-12"], "Asia/Tokyo": ["2018-09-13"]}


def test_german_columns_dates_and_activities_are_read(tmp_path: Path) -> None:
    text = (
        GERMAN
        + '8,"09.12.2022, 15:24:49",Runde,Radfahrt,"a\n---\nb",3189,"9,44",x,3189.0,2070.0,944.5\n'
    )
    text += '9,"23.12.2022, 15:24:49",Runde,Lauf,,60,"9,44",x,60.0,60.0,944.5\n'
    found = import_path(write_files(tmp_path, {"activities.csv": text}), zone=ZoneInfo("UTC"))
    assert found.quarantined == []
    assert found.record("2022-12-09")["activity_type"] == "cycling"
    assert found.record("2022-12-09")["active_minutes"] == round(2070 / 60)
    assert found.record("2022-12-23")["activity_type"] == "running"


@pytest.mark.parametrize("date", ["Jan 27, 2021, 1:57:47 PM", "27 Jan 2021, 13:57:47"])
def test_the_dates_of_english_accounts_are_read(tmp_path: Path, date: str) -> None:
    text = f'{OLD}1,"{date}",n,Run,,783,3681.0,true,,activities/1.gpx\n'
    found = import_path(write_files(tmp_path, {"activities.csv": text}), zone=ZoneInfo("UTC"))
    assert [str(day) for _, day in found.records] == ["2021-01-27"]


def test_an_activity_in_two_exports_counts_once(tmp_path: Path) -> None:
    text = OLD + "1,2018-09-12 15:02:23,n,Ride,,600,3681.0,true,,activities/1.gpx\n"
    write_files(tmp_path, {"a/activities.csv": text, "b/activities.csv": text})
    assert import_path(tmp_path).record("2018-09-12")["active_minutes"] == 10


def test_columns_in_an_unknown_language_are_named(tmp_path: Path) -> None:
    text = "ID d'activité,Date de l'activité,Nom de fichier\n1,2,3\n"
    write_files(tmp_path, {"activities.csv": text})
    with pytest.raises(SourceError, match=r"ID d'activité.*a layout can describe them"):
        detect_format(tmp_path / "activities.csv")


def test_the_real_file_equals_pandas() -> None:
    path = shared_data("strava")
    imported = import_path(path, zone=ZoneInfo("Europe/Berlin"))
    assert imported.quarantined == []
    frame = pd.read_csv(path / "activities.csv")
    start = pd.to_datetime(frame["Activity Date"], format="%b %d, %Y, %I:%M:%S %p", utc=True)
    frame["day"] = start.dt.tz_convert("Europe/Berlin").dt.date
    # pandas numbers the second column of a name with .1.
    frame["seconds"] = frame["Moving Time"].fillna(frame["Elapsed Time.1"])
    minutes = (frame.groupby("day")["seconds"].sum() / 60).round()
    found = {day: record["active_minutes"] for (_, day), record in imported.records.items()}
    assert found == minutes.astype(int).to_dict()
    longest = frame.loc[frame.groupby("day")["seconds"].idxmax()].set_index("day")["Activity Type"]
    kinds = {"Run": "running", "Walk": "walking", "Ride": "cycling", "Workout": "gym_workout"}
    assert {day: record["activity_type"] for (_, day), record in imported.records.items()} == {
        day: kinds.get(kind, kind.lower()) for day, kind in longest.items()
    }


def test_the_first_column_of_greatest_heart_rates_is_used_if_the_second_is_empty(
    tmp_path: Path,
) -> None:
    text = (
        "Activity ID,Activity Date,Activity Type,Elapsed Time,Distance,Max Heart Rate,Filename,"
        "Elapsed Time,Moving Time,Distance,Max Heart Rate,Average Heart Rate,Calories\n"
    )
    rows = ("1,*,Run,2700,6.2,171,x,2700.0,2520.0,6200.4,,148.4,455\n",
            "2,*,Run,2700,6.2,171,x,2700.0,2520.0,,172.0,,\n")  # fmt: skip
    for day, row in enumerate(rows, start=4):
        text += row.replace("*", f'"Jan {day}, 2026, 5:05:00 PM"')
    found = import_path(write_files(tmp_path, {"activities.csv": text}), zone=ZoneInfo("UTC"))
    columns = ("distance_km", "heart_rate_avg", "heart_rate_max", "calories_burned")
    assert [[row.get(name) for name in columns] for row in found.workouts] == [
        [6.2004, 148.4, 171.0, 455.0],
        [None, None, 172.0, None],
    ]


def test_the_workouts_of_the_real_file_have_its_distances_and_heart_rates() -> None:
    path = shared_data("strava") / "activities.csv"
    table = pd.read_csv(path)
    found = pd.DataFrame(import_path(path, zone=ZoneInfo("UTC")).workouts)
    assert len(found) == len(table)
    for name, column in {
        "distance_km": "Distance.1",
        "calories_burned": "Calories",
        "heart_rate_avg": "Average Heart Rate",
        "heart_rate_max": "Max Heart Rate",
    }.items():
        stated = table[column][table[column] > 0] / (1000 if name == "distance_km" else 1)
        assert sorted(found[name].dropna()) == pytest.approx(sorted(stated)), name
