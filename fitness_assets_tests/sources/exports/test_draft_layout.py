"""Layouts that are guessed from a table: each is read again, and gives the values of the table."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from fitness_assets.sources.explain import draft_of
from fitness_assets.sources.exports.draft_layout import Draft
from fitness_assets.sources.exports.layout import parse
from fitness_assets_tests.support.exports import import_path, write_files


def draft(folder: Path, text: str) -> Draft:
    found = draft_of(write_files(folder, {"x.csv": text}) / "x.csv")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        (
            "Fecha;Pasos;Distancia (km);Peso [lb]\n2026-01-03;8123;5,89;179,5\n",
            "2026-01-03",
            {"steps": 8123, "distance_km": 5.89, "weight_kg": 81.41983},
        ),
        (
            (
                "Date,TotalSteps,Energy (kJ),Avg HR,Max HR,Resting HR,Sleep minutes\n"
                "1/31/2026,8123,8368,70,150,58,430\n2/1/2026,9000,8400,71,151,57,420\n"
            ),
            "2026-01-31",
            {
                "steps": 8123,
                "calories_burned": 2000,
                "calories_kind": "total",
                "heart_rate_avg": 70,
                "resting_heart_rate": 58,
                "sleep_hours": 430 / 60,
            },
        ),
        # Neither a unit nor a day above 12: the values say metres, and days follow one another.
        (
            "day,distance,active kcal,SpO2\n01/02/2026,5890,300,0.97\n01/03/2026,6100,310,0.96\n",
            "2026-01-02",
            {
                "distance_km": 5.89,
                "calories_burned": 300,
                "calories_kind": "active",
                "spo2": 97,
            },
        ),
        (
            "Jour;Pas;Sommeil (min);Sommeil profond (min)\n31.01.26;8123;430;95\n",
            "2026-01-31",
            {
                "steps": 8123,
                "sleep_hours": 430 / 60,
                "sleep_deep": 95,
            },
        ),
        # The number of steps is none that can be read; the goal is none of the day.
        (
            "date,steps,step goal,floors\n2026-01-03,many,10000,12\n",
            "2026-01-03",
            {"floors": 12},
        ),
    ],
)
def test_columns_are_guessed_by_name_and_unit(
    tmp_path: Path, text: str, day: str, expected: dict[str, Any]
) -> None:
    found = draft(tmp_path, text)
    assert found.problem == ""
    layout = parse(tomllib.loads(found.text))
    record = import_path(tmp_path / "x.csv", layout=layout).record(day)
    assert record.pop("source") == "tidy"
    assert record.pop("calories_kind", None) == expected.pop("calories_kind", None)
    assert record == pytest.approx(expected, rel=1e-6)


def test_rows_of_hours_and_columns_of_minutes_are_recognized(tmp_path: Path) -> None:
    rows = "".join(f"2026-01-0{day},{hour},10\n" for day in (3, 4) for hour in range(24))
    hours = draft(tmp_path / "a", f"date,hour,steps\n{rows}")
    layout = parse(tomllib.loads(hours.text))
    assert (layout.rows, layout.time) == ("hour", "hour")
    assert import_path(tmp_path / "a", layout=layout).record("2026-01-03")["steps"] == 240

    rows = "".join(f"2026-01-03 08:{minute:02}:00,60\n" for minute in range(60))
    minutes = draft(tmp_path / "b", f"timestamp,bpm\n{rows}")
    assert parse(tomllib.loads(minutes.text)).rows == "minute"

    names = ",".join(f"Steps{minute:02}" for minute in range(60))
    wide = draft(tmp_path / "c", f"date,{names}\n2026-01-03,{','.join('2' * 60)}\n")
    layout = parse(tomllib.loads(wide.text))
    assert layout.combined["steps"].pattern == "Steps*"
    assert import_path(tmp_path / "c", layout=layout).record("2026-01-03")["steps"] == 120


def test_a_table_of_workouts_is_recognized(tmp_path: Path) -> None:
    text = (
        "Begin date,Sport,Duration,Distance (m),kcal,Avg HR,Max HR,Mood\n"
        "2026-01-04 18:05:00,Run,0:42:00,6200,455,148,171,good\n"
    )
    found = draft(tmp_path, text)
    assert found.problem == ""
    layout = parse(tomllib.loads(found.text))
    assert layout.rows == "workout"
    (workout,) = import_path(tmp_path / "x.csv", layout=layout).workouts
    assert (workout["activity"], workout["minutes"], workout["distance_km"]) == ("running", 42, 6.2)
    assert (workout["heart_rate_avg"], workout["heart_rate_max"]) == (148, 171)
    assert '# Not used: "Mood"' in found.text


def test_a_layout_quotes_no_value_but_a_date_and_any_name_of_a_column(tmp_path: Path) -> None:
    names = ['say "hi"', "back\\slash", "tab # not a comment", "[columns]", "état"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    found = draft(tmp_path, f"date,steps,{header}\n2026-01-03,8123,secret,,,,\n")
    tomllib.loads(found.text)
    assert "secret" not in found.text
    assert "8123" not in found.text
    assert all(name.replace("\\", "\\\\").replace('"', '\\"') in found.text for name in names)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("when,steps\nyesterday,5\n", "no column looks like a date"),
        ("date,mood\n2026-01-03,good\n", "no column looks like a number of the record"),
        ("a,b\n", "no column looks like a date"),
    ],
)
def test_a_layout_that_has_to_be_completed_says_so(tmp_path: Path, text: str, problem: str) -> None:
    found = draft(tmp_path, text)
    assert found.problem == problem
    tomllib.loads(found.text)
    assert "CHECK" in found.text or problem.endswith("record")
