from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fitness_assets.etl import quality
from fitness_assets.etl.quality import DAILY_CHECKS, CheckedMonth, PreviousMonth, Read
from fitness_assets.record.daily import SCHEMA
from fitness_assets.record.distribution import DRIFT_LIMIT, Distribution

APRIL = 30


def month(users: int = 40, **columns: Any) -> pa.Table:
    """Return April of `users` users, every day, with `columns` replaced."""
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


def previous(table: pa.Table) -> PreviousMonth:
    read = reader(table)
    return PreviousMonth("2023-03", read, table.num_rows, 31, quality.distributions(read))


def april(table: pa.Table, before: PreviousMonth | None = None) -> CheckedMonth:
    columns = {field.name: str(field.type) for field in table.schema}
    return CheckedMonth("2023-04", reader(table), table.num_rows, columns, before, 0.5)


def failed(table: pa.Table, earlier: pa.Table | None = None) -> dict[str, str]:
    """Return the message of each check that `table` fails."""
    data = april(table, previous(earlier) if earlier else None)
    results = quality.run_checks(DAILY_CHECKS, data)
    return {result.name: result.message for result in results if not result.passed}


def test_a_valid_month_passes() -> None:
    assert failed(month()) == {}
    assert failed(month(), month()) == {}


def test_an_empty_month_fails() -> None:
    assert failed(month(users=0)) == {"not_empty": "0 user-days"}


def test_a_month_with_another_schema_fails() -> None:
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


def test_users_who_do_not_deliver_again_count_as_missing() -> None:
    assert "complete" not in failed(month(users=20), month(users=40))
    message = failed(month(users=19), month(users=40))["complete"]
    assert message == "49% of the expected days of the 40 users of 2023-03 (at least 50%)"
    # New users do not make up for those who are missing.
    new_users = [f"other{user}" for user in month()["user_id"].to_pylist()]
    assert "complete" in failed(month(user_id=new_users), month())
    # Nor do they count against those who delivered again.
    assert "complete" not in failed(month(users=80), month(users=40))


def test_half_of_a_month_is_not_complete() -> None:
    table = month()
    first_days = pa.array([day.day <= 14 for day in table["date"].to_pylist()])
    assert "complete" in failed(table.filter(first_days), month())


def users(*numbers: int, days: int = APRIL, seed: int = 0) -> pa.Table:
    """Return the first `days` of April of some users whose steps differ between users."""
    noise = np.random.default_rng([seed, *numbers])
    dates = [date(2023, 4, 1) + timedelta(day) for day in range(days)]
    rows = [(f"p{number}", each, 3000 * (number + 1)) for number in numbers for each in dates]
    user_ids, every_date, steps = zip(*rows, strict=True)
    values: dict[str, Any] = {
        "user_id": user_ids,
        "date": every_date,
        "steps": steps,
        "heart_rate_avg": noise.normal(70, 8, len(rows)),
    }
    return pa.table(
        {
            field.name: pa.array(values[field.name], field.type)
            if field.name in values
            else pa.nulls(len(rows), field.type)
            for field in SCHEMA
        }
    )


@pytest.mark.parametrize(
    ("then", "now", "fails", "fails_if_imported"),
    [
        pytest.param(users(0), month(), False, False, id="one user, then a group"),
        pytest.param(users(*range(6)), month(), False, False, id="few users, then a group"),
        pytest.param(
            users(0), users(0, *range(1, 9)), False, False, id="one user, who then joins a group"
        ),
        pytest.param(
            pa.concat_tables([users(0), users(*range(1, 9), days=3)]),
            users(*range(40)),
            False,
            False,
            id="a group that began late",
        ),
        pytest.param(users(0), users(1), False, False, id="one user, then another one"),
        pytest.param(users(0, 1, 2), users(0), False, False, id="some of few users stop"),
        pytest.param(users(0), users(0, days=3), True, True, id="one user, truncated"),
        pytest.param(users(0, 1), users(0, 1, days=3), True, True, id="two users, truncated"),
        pytest.param(month(), users(0), True, False, id="a group, then one other user"),
        pytest.param(
            users(*range(40)), users(0), True, False, id="a group, then the import of one of them"
        ),
        pytest.param(
            users(*range(40)), users(*range(9)), True, False, id="a group, of which few deliver"
        ),
        pytest.param(
            users(*range(40)), users(*range(40), days=3), True, True, id="a group, truncated"
        ),
        pytest.param(
            users(*range(40)),
            users(*range(30), days=3),
            True,
            True,
            id="truncated, and fewer users",
        ),
        pytest.param(
            users(*range(9)),
            pa.concat_tables([users(*range(9), days=3), users(*range(50, 60))]),
            True,
            True,
            id="truncated, and other users",
        ),
    ],
)
def test_a_month_is_compared_with_a_comparable_one(
    then: pa.Table, now: pa.Table, fails: bool, fails_if_imported: bool
) -> None:
    assert quality.complete(april(now, previous(then))).passed == (not fails)
    data = replace(april(now, previous(then)), imported=True)
    assert quality.complete(data).passed == (not fails_if_imported)


@pytest.mark.parametrize(
    ("then", "now", "is_compared"),
    [
        (users(0), users(*range(9)), False),
        (users(*range(9)), users(0), False),
        (users(0), users(1), False),
        (users(0, 1), users(0), False),
        (users(0), users(0), True),
        (users(0, 1), users(0, 1), True),
        (users(*range(9)), users(*range(9, 18)), True),
    ],
)
def test_drift_is_that_of_the_same_or_of_many_users(
    then: pa.Table, now: pa.Table, is_compared: bool
) -> None:
    outcome = quality.no_drift(april(now, previous(then)))
    assert bool(outcome.values) == is_compared
    assert outcome.judged == is_compared
    assert outcome.passed or is_compared


def test_a_number_that_the_month_before_lacks_has_not_drifted() -> None:
    before = previous(month())
    before = replace(
        before, distributions={k: v for k, v in before.distributions.items() if k != "steps"}
    )
    outcome = quality.no_drift(april(month(steps=[0] * 40 * APRIL), before))
    assert outcome.passed
    assert "steps" not in outcome.values


@pytest.mark.parametrize("rows", [1, 40 * APRIL])
def test_a_month_has_drifted_beyond_the_limit_that_is_reported(rows: int) -> None:
    before = previous(month().slice(0, rows))
    now = month(steps=month()["steps"].to_numpy() * 3 // 4).slice(0, rows)
    outcome = quality.no_drift(april(now, before))
    limit = outcome.values[DRIFT_LIMIT]
    assert outcome.passed == all(
        index <= limit for name, index in outcome.values.items() if name != DRIFT_LIMIT
    )
    assert (limit > quality.DRIFT_THRESHOLD) == (rows == 1), "chance bounds a small month"


def test_checks_without_a_month_before_are_not_judged() -> None:
    results = {each.name: each for each in quality.run_checks(DAILY_CHECKS, april(month()))}
    assert {name for name, each in results.items() if not each.judged} == {"complete", "no_drift"}
    assert all(each.passed for each in results.values())
    assert results["no_drift"].state == "not judged"
    assert results["not_empty"].state == "passed"


def test_drift_of_one_number_is_reported() -> None:
    steps = month()["steps"].to_numpy()
    messages = failed(month(steps=steps // 2), month())
    assert set(messages) == {"no_drift"}
    assert messages["no_drift"].startswith("drift since 2023-03: steps ")
    missing = failed(month(heart_rate_avg=[None] * 1200), month())
    assert missing["no_drift"].startswith("drift since 2023-03: heart_rate_avg ")


def test_the_index_follows_its_definition() -> None:
    # The only edge has half of the values below it then, and a quarter now.
    then = Distribution(edges=[100.0], shares=[0.5, 0.5, 0.0])
    march = previous(month())
    distributions = {**march.distributions, "steps": then}
    steps = [50] * 300 + [150] * 900
    result = quality.no_drift(
        april(month(steps=steps), PreviousMonth("2023-03", march.read, 1200, 31, distributions))
    )
    expected = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert result.values["steps"] == pytest.approx(expected)
    assert result.passed == (expected <= quality.DRIFT_THRESHOLD)


@pytest.mark.parametrize("until", [1, 6, 7, 29, 30])
@pytest.mark.parametrize("users", [1, 40])
def test_a_partial_month_is_judged_by_its_days_so_far(until: int, users: int) -> None:
    table = month()
    ids = pa.array([f"u{number}" for number in range(users)])
    begun = pc.and_(
        pc.less_equal(table["date"], date(2023, 4, until)), pc.is_in(table["user_id"], ids)
    )
    data = april(table.filter(begun), previous(table))
    partial = replace(data, partial_until=date(2023, 4, until))
    results = {each.name: each for each in quality.run_checks(DAILY_CHECKS, partial)}
    # As many rows in 31 days of March as in 30 days of April.
    assert results["complete"].values["completeness"] == pytest.approx(1), "the others are late"
    assert all(result.passed for result in results.values())
    # Some weekdays are missing before, and one user is not compared with 40.
    assert bool(results["no_drift"].values) == (until >= 7 and users == 40)
    assert quality.complete(data).values["completeness"] < until * users / (30 * 40) + 0.05


def test_days_of_a_partial_month_can_be_missing() -> None:
    table = month()
    some = table.filter(pc.is_in(pc.day(table["date"]), pa.array([1, 20])))
    data = replace(april(some, previous(table)), partial_until=date(2023, 4, 20))
    assert not quality.complete(data).passed


def test_a_month_after_a_partial_one_is_compared_with_its_days_so_far() -> None:
    table = month()
    first = table.filter(pc.less_equal(pc.day(table["date"]), 10))
    before = replace(previous(first), days=10)
    assert quality.complete(april(table, before)).values["completeness"] == pytest.approx(1)
    some = table.filter(pc.less_equal(pc.day(table["date"]), 3))
    assert not quality.complete(april(some, before)).passed


def test_chance_in_a_small_month_is_not_drift() -> None:
    noise = np.random.default_rng(1)

    def small() -> pa.Table:
        return month(users=1, steps=noise.integers(0, 20_000, APRIL))

    results = [failed(small(), small()) for _ in range(20)]
    assert all("no_drift" not in messages for messages in results)


def test_the_checks_have_distinct_names_and_run_in_order() -> None:
    results = quality.run_checks(DAILY_CHECKS, april(month()))
    names = [result.name for result in results]
    assert names == [check.name for check in DAILY_CHECKS]
    assert len(set(names)) == len(names)
