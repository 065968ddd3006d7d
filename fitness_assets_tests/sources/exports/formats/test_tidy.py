from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.layout import load, parse
from fitness_assets_tests.support.exports import import_path, write_files

LAYOUT = """
date_format = "%d.%m.%Y"
delimiter = ";"
missing = ["-1"]
zero_is_missing = ["heart_rate_avg"]

[columns]
user_id = "Person"
date = "Day"
steps = "Steps"
distance_km = { column = "Miles", unit = "mi" }
calories_burned = { column = "Energy", unit = "kJ" }
heart_rate_avg = "Pulse"
sleep_hours = { column = "Asleep", unit = "min" }

[constants]
calories_kind = "total"
sex = "female"
"""


def test_a_csv_with_a_layout(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "layout.toml": LAYOUT,
            "days.csv": "Person;Day;Steps;Miles;Energy;Pulse;Asleep;Place\n"
            "bo;30.04.2023;9,000;10;8368;0;420;51.5\nbo;01.05.2023;-1;NA;;71.5;;51.5\n",
        },
    )
    imported = import_path(tmp_path / "days.csv", layout=load(tmp_path / "layout.toml"))
    assert imported.quarantined == []
    assert imported.record("2023-04-30", "bo") == {
        "steps": 9000,
        "distance_km": pytest.approx(16.09344),
        "calories_burned": pytest.approx(2000),
        "calories_kind": "total",
        "sleep_hours": pytest.approx(7),
        "sex": "female",
        "source": "tidy",
    }
    assert imported.record("2023-05-01", "bo").keys() == {
        "heart_rate_avg",
        "calories_kind",
        "sex",
        "source",
    }


def test_csv_and_parquet_with_canonical_names_need_no_layout(tmp_path: Path) -> None:
    table = pa.table(
        {
            "user_id": [7.0],
            "date": [datetime(2023, 4, 2, 23, 30)],  # noqa: DTZ001
            "steps": [1200.0],
            "heart_rate_avg": [float("nan")],
            "activity_type": pa.array(["walking"]).dictionary_encode(),
            "source": ["lab"],
            "ingested_at": [datetime(2023, 4, 3, tzinfo=UTC)],
            "something_else": ["ignored"],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    text = (
        "user_id,date,steps,heart_rate_avg,activity_type,source,ingested_at\n"
        "7,2023-04-02T08:00,1200,,walking,lab,2023-04-03\n"
    )
    write_files(tmp_path, {"x.csv": text})
    first, second = (import_path(tmp_path / f"x.{kind}") for kind in ("csv", "parquet"))
    assert first.records == second.records
    assert first.record("2023-04-02", "7") == {
        "steps": 1200,
        "activity_type": "walking",
        "source": "lab",
        "ingested_at": datetime(2023, 4, 3, tzinfo=UTC),
    }


def test_codes_are_replaced_by_the_values_of_the_layout(tmp_path: Path) -> None:
    layout = parse(
        {
            "columns": {
                "user_id": "id",
                "date": "date",
                "age": {"column": "age", "values": {"<30": 25, ">=30": 40, "NA": 50}},
                "sex": {"column": "gender", "values": {"F": "female"}},
                "activity_type": {"column": "did", "values": {"3": "rowing"}},
            }
        }
    )
    rows = "7,2023-04-02,<30,F,3\n7,2023-04-03,33,M,4\n7,2023-04-04,NA,,\n7,2023-04-05,<40,F,3\n"
    write_files(tmp_path, {"x.csv": "id,date,age,gender,did\n" + rows})
    found = import_path(tmp_path / "x.csv", layout=layout)
    days = [found.record(f"2023-04-0{day}", "7") for day in (2, 3, 4)]
    assert [day["age"] for day in days] == [25, 33, 50]
    assert [day.get("sex") for day in days] == ["female", "M", None]
    assert [day.get("activity_type") for day in days] == ["rowing", "4", None]
    assert found.quarantined == [("x.csv", "line 5", "age: '<40' is not an amount")]


def test_activities_get_canonical_names(tmp_path: Path) -> None:
    rows = "7,2023-04-02,\"['Walk', 'Bike']\"\n7,2023-04-03,Trail Running\n7,2023-04-04,Curling\n"
    write_files(tmp_path, {"x.csv": "user_id,date,activity_type\n" + rows})
    found = import_path(tmp_path / "x.csv")
    named = [found.record(f"2023-04-0{day}", "7")["activity_type"] for day in (2, 3, 4)]
    assert named == ["walking", "running", "curling"]


def test_user_and_delivery_time_can_be_declared(tmp_path: Path) -> None:
    layout = parse({"columns": {"date": "day", "steps": "n"}})
    write_files(tmp_path, {"x.csv": "day,n\n2023-04-02,5\n"})
    delivered = datetime(2023, 5, 1, tzinfo=UTC)
    found = import_path(tmp_path, layout=layout, delivered=delivered).record("2023-04-02")
    assert (found["steps"], found["ingested_at"]) == (5, delivered)
    with pytest.raises(SourceError, match=r"x\.csv, line 2: user_id is missing"):
        import_path(tmp_path, layout=layout, user=None)
    fixed = parse({"columns": {"date": "day"}, "constants": {"user_id": "bo", "age": 40}})
    assert import_path(tmp_path, layout=fixed).record("2023-04-02", "bo")["age"] == 40


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("7,2023-04-02,many", "steps: 'many' is not an amount"),
        ("7,2023-04-02,-5", "steps: '-5' is not an amount"),
        ("7,2023-04-02,9999999999", "steps is 9999999999"),
        ("7,2023-02-30,5", "date: '2023-02-30' is not a date"),
        ("7,,5", "date is missing"),
        ("7,2023-04-02", "2 values for 3 columns"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_rest_is_read(
    tmp_path: Path, row: str, reason: str
) -> None:
    write_files(tmp_path, {"x.csv": f"user_id,date,steps\n7,2023-04-01,5\n{row}\n7,2023-04-03,5\n"})
    imported = import_path(tmp_path)
    assert len(imported.records) == 2
    ((file, place, reported),) = imported.quarantined
    assert (file, place) == ("x.csv", "line 3")
    assert reported.startswith(reason)


def test_a_file_without_a_column_of_the_layout_is_quarantined(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.csv": "day,n\n2023-04-02,5\n", "b.csv": "date,n\n2023-04-03,5\n"})
    imported = import_path(tmp_path, layout=parse({"columns": {"date": "day", "steps": "n"}}))
    assert list(imported.records) == [("ann", date(2023, 4, 2))]
    assert imported.quarantined == [("b.csv", "", "b.csv lacks the column day")]
