"""Layouts that combine columns, and rows of minutes, hours and workouts."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.sources.exports.layout import parse
from fitness_assets_tests.support.exports import Imported, import_path, write_files

DAY = "2023-04-02"


def read(folder: Path, text: str, layout: dict[str, Any], **options: Any) -> Imported:
    path = write_files(folder, {"x.csv": text}) / "x.csv"
    return import_path(path, layout=parse(layout), **options)


def test_columns_are_summed_in_their_unit_and_rounded_at_the_end(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"day,very,moderate,deep,light,rest\n{DAY},40,50,90.5,300,20\n",
        {
            "columns": {
                "date": "day",
                "active_minutes": {"column": ["very", "moderate"], "unit": "s"},
                "sleep_hours": {"column": ["deep", "light"], "unit": "min"},
            }
        },
    )
    record = found.record(DAY)
    # 40 s and 50 s are 1.5 minutes, and not twice 1.
    assert record["active_minutes"] == 2
    assert record["sleep_hours"] == pytest.approx(390.5 / 60)


def test_measures_of_several_columns_are_averaged(tmp_path: Path) -> None:
    layout = {
        "zero_is_missing": ["heart_rate_avg"],
        "columns": {"date": "day", "heart_rate_avg": ["morning", "noon", "evening"]},
    }
    text = f"day,morning,noon,evening\n{DAY},60,0,80\n2023-04-03,,,75\n2023-04-04,,,\n"
    found = read(tmp_path, text, layout)
    assert found.record(DAY)["heart_rate_avg"] == 70
    assert found.record("2023-04-03")["heart_rate_avg"] == 75
    assert "heart_rate_avg" not in found.record("2023-04-04")


@pytest.mark.parametrize(
    ("missing_part", "expected"), [(None, None), ("missing", None), ("zero", 5)]
)
def test_a_missing_part_of_a_sum(
    tmp_path: Path, missing_part: str | None, expected: int | None
) -> None:
    column: dict[str, Any] = {"column": ["a", "b"]}
    if missing_part is not None:
        column["missing_part"] = missing_part
    text = f"day,a,b\n{DAY},5,\n2023-04-03,,\n2023-04-04,5,6\n"
    found = read(tmp_path, text, {"columns": {"date": "day", "steps": column}})
    assert found.record(DAY).get("steps") == expected
    assert "steps" not in found.record("2023-04-03"), "nothing is known of it"
    assert found.record("2023-04-04")["steps"] == 11


def test_a_column_for_each_minute_of_a_day(tmp_path: Path) -> None:
    minutes = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440)]
    values = ["2" if minute < 700 else "" for minute in range(1440)]
    text = f"day,{','.join(minutes)},note\n{DAY},{','.join(values)},x\n"
    found = read(tmp_path, text, {"columns": {"date": "day", "steps": {"columns": "*"}}})
    assert found.quarantined == []
    assert found.record(DAY)["steps"] == 1400, "minutes without a value are not measured"


def test_columns_that_no_pattern_matches_are_named(tmp_path: Path) -> None:
    found = {}
    for name, header in (("a", "day,Steps,StepsTotal"), ("b", "day,Steps00,Steps01")):
        found[name] = f"{header}\n{DAY},1,2\n"
    files = write_files(tmp_path, {f"{name}.csv": text for name, text in found.items()})
    layout = parse({"columns": {"date": "day", "steps": {"columns": "Steps*"}}})
    imported = import_path(files, layout=layout)
    assert imported.record(DAY)["steps"] == 3
    assert imported.quarantined == [("a.csv", "", "a.csv has no column Steps*")]


def test_rows_of_minutes_are_summed_and_averaged(tmp_path: Path) -> None:
    rows = [f"{DAY} 08:{minute:02},10,{60 if minute < 30 else 80},0.01,97" for minute in range(60)]
    rows += [f"{DAY} 09:00,0,100,0,99", "2023-04-03 00:00,7,,,"]
    found = read(
        tmp_path,
        "at,n,bpm,miles,oxygen\n" + "\n".join(rows) + "\n",
        {
            "rows": "minute",
            "columns": {
                "date": "at",
                "steps": "n",
                "heart_rate_avg": "bpm",
                "distance_km": {"column": "miles", "unit": "mi"},
                "spo2": "oxygen",
            },
            "constants": {"age": 40, "sex": "female"},
        },
    )
    assert found.quarantined == []
    assert found.record(DAY) == {
        "steps": 600,
        # The mean of the means of two hours.
        "heart_rate_avg": 85,
        "distance_km": pytest.approx(0.6 * 1.609344),
        "spo2": pytest.approx((60 * 97 + 99) / 61),
        "age": 40,
        "sex": "female",
        "source": "tidy",
    }
    assert found.record("2023-04-03") == {
        "steps": 7, "age": 40, "sex": "female", "source": "tidy",
    }  # fmt: skip


def test_hours_in_a_column_of_their_own_and_minutes_in_columns(tmp_path: Path) -> None:
    minutes = ",".join(f"Steps{minute:02}" for minute in range(60))
    rows = "".join(f"7,02.04.2023,{hour},{','.join(['1'] * 60)}\n" for hour in (0, 13, 23))
    layout = {
        "rows": "hour",
        "date_format": "%d.%m.%Y",
        "columns": {"user_id": "id", "date": "day", "time": "h", "steps": {"columns": "Steps*"}},
    }
    found = read(tmp_path, f"id,day,h,{minutes}\n{rows}", layout)
    assert found.record(DAY, "7") == {"steps": 180, "source": "tidy"}


def test_rows_of_two_devices_are_not_added(tmp_path: Path) -> None:
    text = f"at,who,n\n{DAY}T08:00,watch,10\n{DAY}T08:00,phone,8\n{DAY}T09:00,watch,5\n"
    layout = {"rows": "hour", "columns": {"date": "at", "source": "who", "steps": "n"}}
    found = read(tmp_path, text, layout)
    assert found.record(DAY)["steps"] == 15


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"{DAY} 08:30,5", "there is another row of this hour of the same user"),
        (f"{DAY},5", f"'{DAY}' has no time of day, and no columns.time is declared"),
        ("yesterday 08:00,5", "'yesterday 08:00' is not a timestamp"),
        (",5", "date is missing"),
        (f"{DAY} 09:00,many", "steps: 'many' is not an amount"),
    ],
)
def test_a_bad_row_of_an_hour_is_quarantined(tmp_path: Path, row: str, reason: str) -> None:
    layout = {"rows": "hour", "columns": {"date": "at", "steps": "n"}}
    found = read(tmp_path, f"at,n\n{DAY} 08:00,10\n{row}\n{DAY} 10:00,1\n", layout)
    assert found.record(DAY)["steps"] == 11
    assert found.quarantined == [("x.csv", "line 3", reason)]


@pytest.mark.parametrize(("time", "minute"), [("24", None), ("x", None), ("7", 7), ("07:30", 7)])
def test_times_of_day(tmp_path: Path, time: str, minute: int | None) -> None:
    layout = {"rows": "hour", "columns": {"date": "d", "time": "t", "steps": "n"}}
    found = read(tmp_path, f"d,t,n\n{DAY},5,1\n{DAY},{time},2\n", layout)
    assert found.record(DAY)["steps"] == (1 if minute is None else 3)
    reasons = [reason for *_, reason in found.quarantined]
    assert reasons == ([f"'{time}' is not a time of day"] if minute is None else [])


def test_the_hour_that_the_clock_shows_twice_has_two_rows(tmp_path: Path) -> None:
    text = "at,n\n" + "".join(f"2023-10-29 {hour:02}:00,10\n" for hour in (0, 1, 2, 2, 3))
    layout = {"rows": "hour", "columns": {"date": "at", "steps": "n"}}
    found = read(tmp_path, text, layout, zone=ZoneInfo("Europe/Berlin"))
    assert found.record("2023-10-29")["steps"] == 50
    assert found.quarantined == []


def test_instants_are_of_the_declared_zone(tmp_path: Path) -> None:
    text = "at,n\n2023-04-01T23:30:00Z,10\n2023-04-02T00:30:00+02:00,5\n"
    layout = {"rows": "minute", "columns": {"date": "at", "steps": "n"}}
    there = read(tmp_path, text, layout, zone=ZoneInfo("Europe/Berlin"))
    assert {str(day): row["steps"] for (_, day), row in there.records.items()} == {DAY: 15}
    shown = read(tmp_path, text, layout)
    assert {str(day): row["steps"] for (_, day), row in shown.records.items()} == {
        "2023-04-01": 10, DAY: 5,
    }  # fmt: skip


WORKOUTS = {
    "rows": "workout",
    "date_format": "%d.%m.%Y %H:%M:%S",
    "columns": {
        "date": "begin",
        "activity_type": {"column": "kind", "values": {"3": "rowing"}},
        "minutes": {"column": "duration", "unit": "s"},
        "distance_km": {"column": "metres", "unit": "m"},
        "calories_burned": "kcal",
        "heart_rate_avg": "mean",
        "heart_rate_max": "max",
    },
}


def test_rows_of_workouts(tmp_path: Path) -> None:
    header = "begin,kind,duration,metres,kcal,mean,max\n"
    rows = (
        "02.04.2023 18:05:30,Trail Run,2520,6200,455,148,171\n"
        "02.04.2023 07:00:00,3,0:20:30,,,,\n"
        "03.04.2023 07:00:00,Yoga,,,,,\n"
    )
    found = read(tmp_path, header + rows, WORKOUTS, zone=ZoneInfo("Europe/Berlin"))
    assert found.quarantined == [("x.csv", "line 4", "minutes is missing")]
    first, second = found.workouts
    assert first == {
        "user_id": "ann",
        "start": datetime(2023, 4, 2, 5, tzinfo=UTC),
        "local_start": datetime(2023, 4, 2, 7),  # noqa: DTZ001 - local times have no zone
        "activity": "rowing",
        "minutes": 20.5,
        "source": "tidy",
    }
    assert second["start"] == datetime(2023, 4, 2, 16, 5, 30, tzinfo=UTC)
    assert {name: second[name] for name in ("activity", "minutes", "distance_km")} == {
        "activity": "running",
        "minutes": 42,
        "distance_km": 6.2,
    }
    assert {name: second[name] for name in second if name.startswith(("cal", "heart"))} == {
        "calories_burned": 455,
        "heart_rate_avg": 148,
        "heart_rate_max": 171,
    }
    assert found.record(DAY) == {"activity_type": "running", "source": "tidy"}


def test_a_workout_without_an_activity_and_times_with_an_offset(tmp_path: Path) -> None:
    layout = {"rows": "workout", "columns": {"date": "at", "minutes": "min"}}
    rows = f"at,min\n{DAY}T23:30:00-04:00,30\n0001-01-01T00:00:00+14:00,5\n{DAY}T07:00Z,0:30\n"
    found = read(tmp_path, rows, layout)
    (workout,) = found.workouts
    assert workout["start"] == datetime(2023, 4, 3, 3, 30, tzinfo=UTC)
    assert str(workout["local_start"]) == f"{DAY} 23:30:00"
    assert [reason for *_, reason in found.quarantined] == [
        "0001-01-01 is not between 1990-01-01 and 2099-12-31",
        "minutes: '0:30' is not a duration such as 1:02:30",
    ]
