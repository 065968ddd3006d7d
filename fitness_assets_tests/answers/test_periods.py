"""Periods of questions."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.answers import statistics
from fitness_assets.answers.periods import Period, parse_day, parse_period
from fitness_assets.errors import QuestionError

DAYS = st.dates(date(1990, 1, 1), date(1999, 12, 31))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2023-04-05", date(2023, 4, 5), date(2023, 4, 5)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        (" 2023 ", date(2023, 1, 1), date(2023, 12, 31)),
        ("2023-11..2024-02-03", date(2023, 11, 1), date(2024, 2, 3)),
        ("2022..2023", date(2022, 1, 1), date(2023, 12, 31)),
    ],
)
def test_a_period_is_read(text: str, first: date, last: date) -> None:
    assert parse_period(text) == Period(first, last)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a period"),
        ("2023-13", "is not a period"),
        ("2023-02-30", "day is out of range"),
        ("last month", "write a day"),
        ("1890", "not a month from 1970"),
        ("2023-04..", "is not a period"),
        ("2023-04..2023-03", "ends before it begins"),
        ("2000..2020", "more than 3,660"),
        ("٢٠٢٣", "is not a period"),
    ],
)
def test_what_is_no_period_is_refused(text: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        parse_period(text)


def test_a_day_is_one_day() -> None:
    assert parse_day("2023-04-05") == date(2023, 4, 5)
    with pytest.raises(QuestionError, match="is not a day"):
        parse_day("2023-04")


@given(DAYS, DAYS)
def test_the_text_of_a_period_names_it(one: date, other: date) -> None:
    period = Period(min(one, other), max(one, other))
    if period.days <= 3_660:
        assert parse_period(str(period)) == period


@given(DAYS, DAYS)
def test_the_period_before_ends_the_day_before(one: date, other: date) -> None:
    period = Period(min(one, other), max(one, other))
    before = statistics.before(period)
    assert (period.first - before.last).days == 1
    assert before.first <= before.last


def test_the_period_before_a_month_is_a_month() -> None:
    assert statistics.before(parse_period("2024-03")) == parse_period("2024-02")
    assert statistics.before(parse_period("2024")) == parse_period("2023")
    assert statistics.year_before(parse_period("2024-02")) == parse_period("2023-02")
