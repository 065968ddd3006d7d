from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fitness_assets.etl import quality
from fitness_assets.etl.quality import PreviousMonth, Read
from fitness_assets.record.daily import SCHEMA

APRIL = 30


def month(users: int = 40, **columns: Any) -> pa.Table:
    """April of these people, every day, with other columns as asked."""
    rows = users * APRIL
    noise = np.random.default_rng(0)
    known: dict[str, Any] = {
        "user_id": [f"u{row // APRIL}" for row in range(rows)],
        "date": [date(2023, 4, 1) + timedelta(row % APRIL) for row in range(rows)],
        "steps": noise.integers(0, 20_000, rows),
        "heart_rate_avg": noise.normal(70, 8, rows),
        **columns,
    }
    return pa.table(
        {
            field.name: pa.array(known[field.name], field.type)
            if field.name in known
            else pa.nulls(rows, field.type)
            for field in SCHEMA
        }
    )


def reader(table: pa.Table) -> Read:
    def read(columns: Sequence[str]) -> pa.Table:
        return table.select(list(columns))

    return read


def before(table: pa.Table) -> PreviousMonth:
    read = reader(table)
    return PreviousMonth("2023-03", read, table.num_rows, quality.distributions(read))


def failed(table: pa.Table, earlier: pa.Table | None = None) -> dict[str, str]:
    """Checks that `table` fails, with what they tell."""
    described = {
        "rows": table.num_rows,
        "columns": {field.name: str(field.type) for field in table.schema},
    }
    results = quality.run_checks(
        reader(table), described, "2023-04", before(earlier) if earlier else None, 0.5
    )
    return {result.name: result.message for result in results if not result.passed}


def test_a_sound_month_passes() -> None:
    assert failed(month()) == {}
    assert failed(month(), month()) == {}


def test_an_empty_month_fails() -> None:
    assert failed(month(users=0)) == {"not_empty": "0 user-days"}


def test_a_month_of_another_shape_fails() -> None:
    table = month().drop_columns(["sleep_hours"]).append_column("mood", pa.nulls(1200))
    steps = table.schema.get_field_index("steps")
    table = table.set_column(steps, "steps", table["steps"].cast(pa.int64()))
    assert failed(table) == {
        "right_schema": "steps is int64 and not int32; sleep_hours is missing and not double; "
        "mood is unknown"
    }


def test_a_repeated_day_fails() -> None:
    table = month()
    assert failed(pa.concat_tables([table, table.slice(5, 2)])) == {
        "unique_days": "2 repeated user-days"
    }


def test_a_day_of_another_month_fails() -> None:
    dates = month()["date"].to_pylist()
    dates[0], dates[-1] = date(2023, 3, 31), date(2023, 5, 1)
    assert failed(month(date=dates)) == {"dates_inside": "2 days outside 2023-04"}


@pytest.mark.parametrize("value", [29.9, 220.1, float("nan"), float("inf")])
def test_a_value_out_of_range_fails(value: float) -> None:
    rates = month()["heart_rate_avg"].to_pylist()
    rates[7] = value
    assert failed(month(heart_rate_avg=rates)) == {"values_in_range": "1 of heart_rate_avg"}


def test_people_who_did_not_deliver_again_are_missed() -> None:
    assert "complete" not in failed(month(users=20), month(users=40))
    told = failed(month(users=19), month(users=40))["complete"]
    assert told == "49% of the days expected of the 40 people of 2023-03 (at least 50%)"
    # New people do not make up for those who are missing.
    strangers = [f"other{user}" for user in month()["user_id"].to_pylist()]
    assert "complete" in failed(month(user_id=strangers), month())
    # Nor do they count against those who are there.
    assert "complete" not in failed(month(users=80), month(users=40))


def test_half_of_a_month_is_missed() -> None:
    table = month()
    first_days = pa.array([day.day <= 14 for day in table["date"].to_pylist()])
    assert "complete" in failed(table.filter(first_days), month())


def test_a_shift_of_one_number_is_told() -> None:
    steps = month()["steps"].to_numpy()
    told = failed(month(steps=steps // 2), month())
    assert set(told) == {"no_drift"}
    assert told["no_drift"].startswith("shifted since 2023-03: steps ")
    gone = failed(month(heart_rate_avg=[None] * 1200), month())
    assert gone["no_drift"].startswith("shifted since 2023-03: heart_rate_avg ")


def test_the_index_is_that_of_its_definition() -> None:
    # Half below, half above the only edge then; a quarter and three quarters now.
    then = {"edges": [100.0], "shares": [0.5, 0.5, 0.0]}
    earlier = before(month())
    distributions = {**earlier.distributions, "steps": then}
    steps = [50] * 300 + [150] * 900
    result = quality.no_drift(
        reader(month(steps=steps)), PreviousMonth("2023-03", earlier.read, 1200, distributions)
    )
    expected = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert result.values["steps"] == pytest.approx(expected)
    assert result.passed == (expected <= quality.DRIFT_THRESHOLD)


def test_chance_in_a_small_month_is_no_shift() -> None:
    noise = np.random.default_rng(1)

    def small() -> pa.Table:
        return month(users=1, steps=noise.integers(0, 20_000, APRIL))

    told = [failed(small(), small()) for _ in range(20)]
    assert all("no_drift" not in each for each in told)
