from pathlib import Path
from typing import Any

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.layout import as_json_values, load, parse
from fitness_assets_tests.support.exports import write_files


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"colums": {}}, "colums is unknown; known are columns, constants, date_format"),
        ({"columns": 5}, "columns is 5, not a table"),
        ({"columns": {"step": "n"}}, "columns.step is unknown; known are active_minutes"),
        ({"columns": {"steps": 5}}, "columns.steps is 5, not a table"),
        ({"columns": {"steps": {"unit": "count"}}}, "columns.steps.column is missing"),
        (
            {"columns": {"steps": {"column": "n", "unit": "x"}}},
            "columns.steps.unit: steps has only",
        ),
        (
            {"columns": {"distance_km": {"column": "d", "unit": "furlong"}}},
            "columns.distance_km.unit is 'furlong', not one of km, m, cm, mi",
        ),
        (
            {"columns": {"date": "d", "age": {"column": "a", "values": 5}}},
            "columns.age.values is 5, not a ta",
        ),
        (
            {"columns": {"date": "d", "age": {"column": "a", "values": {"<30": "young"}}}},
            "columns.age.values.<30 is 'young', not",
        ),
        ({"columns": {"steps": "n"}}, "columns.date is missing"),
        (
            {"columns": {"date": "d", "calories_burned": "k"}},
            "constants.calories_kind is missing: set it to total or active",
        ),
        ({"columns": {"date": "d"}, "constants": {"age": "old"}}, "constants.age is 'old'"),
        (
            {"columns": {"date": "d"}, "constants": {"calories_kind": "net"}},
            "constants.calories_kind is 'net', not total or active",
        ),
        ({"columns": {"age": "a"}, "constants": {"age": 5}}, "constants.age is also a column"),
        ({"columns": {"date": "d"}, "delimiter": "::"}, "delimiter is '::', not one character"),
        ({"columns": {"date": "d"}, "missing": [5]}, "missing is 5, not a string"),
        ({"columns": {"date": "d"}, "zero_is_missing": ["x"]}, "zero_is_missing: x is unknown"),
        ({"columns": {"date": "d"}, "date_format": 5}, "date_format is 5, not a string"),
        ({"columns": {"date": "d", "steps": []}}, "columns.steps.column is [], not different col"),
        (
            {"columns": {"date": "d", "steps": ["a", "a"]}},
            "columns.steps.column is ['a', 'a'], not different columns",
        ),
        ({"columns": {"date": "d", "steps": ["a", 5]}}, "columns.steps.column is 5, not a string"),
        (
            {"columns": {"date": "d", "sex": ["a", "b"]}},
            "columns.sex has several columns; only these may have: active_minutes, calories_burned",
        ),
        (
            {"columns": {"date": "d", "steps": {"column": "a", "columns": "a*"}}},
            "columns.steps.column and columns exclude each other",
        ),
        (
            {"columns": {"date": "d", "steps": {"columns": "Steps"}}},
            "columns.steps.columns is 'Steps', without one * for a number or a time of day",
        ),
        (
            {"columns": {"date": "d", "steps": {"column": ["a"], "missing_part": 0}}},
            "columns.steps.missing_part is 0, not one of missing, zero",
        ),
        (
            {"columns": {"date": "d", "steps": {"column": "a", "missing_part": "zero"}}},
            "columns.steps.missing_part is for a list of columns",
        ),
        (
            {"columns": {"date": "d", "steps": {"column": ["a"], "values": {"x": 1}}}},
            "columns.steps.values is for one column",
        ),
        (
            {"rows": "week", "columns": {"date": "d"}},
            "rows is 'week', not one of day, hour, minute, workout",
        ),
        ({"columns": {"date": "d", "time": "t"}}, "columns.time is unknown; known are active_min"),
        (
            {"rows": "hour", "columns": {"date": "d", "time": 5}},
            "columns.time is 5, not a string",
        ),
        (
            {"rows": "workout", "columns": {"date": "d", "distance_km": "k"}},
            "columns.minutes is missing: it is the duration of a workout",
        ),
        (
            {"rows": "workout", "columns": {"date": "d", "minutes": "m", "steps": "n"}},
            "columns.steps is unknown in rows of a workout; known are activity_type, calories_b",
        ),
        (
            {"rows": "workout", "columns": {"date": "d", "minutes": "m"}, "constants": {"age": 4}},
            "constants.age is unknown in rows of a workout; known are activity_type, source, us",
        ),
        (
            {
                "rows": "workout",
                "columns": {"date": "d", "minutes": {"column": "m", "values": {"x": 1}}},
            },
            "columns.minutes.values is not for minutes",
        ),
        (
            {"rows": "minute", "columns": {"date": "d", "sleep_hours": "s"}},
            "columns.sleep_hours is unknown in rows of a minute; known are active_minutes, cal",
        ),
    ],
)
def test_a_wrong_layout_names_its_key(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError) as error:
        parse(declared)
    assert str(error.value).startswith(message)


def test_an_unreadable_layout_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.toml": "[columns", "b.toml": "[columns]\nday = 'x'\n"})
    for name in ("a", "b", "missing"):
        with pytest.raises(SourceError, match=rf"/{name}\.toml"):
            load(tmp_path / f"{name}.toml")


def test_a_layout_that_an_earlier_version_could_read_is_stored_as_before() -> None:
    plain = {"columns": {"date": "d", "steps": "n"}}
    assert as_json_values(parse(plain)).keys().isdisjoint({"combined", "rows", "time"})
    combined = {"rows": "hour", "columns": {"date": "d", "time": "t", "steps": ["a", "b"]}}
    stored = as_json_values(parse(combined))
    assert stored["combined"]["steps"]["columns"] == ["a", "b"]
    assert (stored["rows"], stored["time"]) == ("hour", "t")
