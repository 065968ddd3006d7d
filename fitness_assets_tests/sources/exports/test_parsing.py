from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.date_order import detect_date_order


@given(
    st.dates(date(1990, 1, 1), date(2099, 1, 1)),
    st.integers(13, 60),
    st.sampled_from(["%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%m-%d-%Y"]),
)
def test_the_date_order_of_consecutive_days_is_detected(
    first: date, length: int, style: str
) -> None:
    days = [first + timedelta(days=index) for index in range(length)]
    stamps = [day.strftime(style) for day in days]
    order = detect_date_order(stamps, "x.csv")
    assert [parsing.parse_day(stamp, order) for stamp in stamps] == days


@given(st.dates(date(2000, 1, 1), date(2098, 1, 1)), st.integers(13, 60))
def test_a_year_of_two_digits_is_in_this_century(first: date, length: int) -> None:
    days = [first + timedelta(days=index) for index in range(length)]
    stamps = [f"{day.month}/{day.day}/{day:%y}" for day in days]
    order = detect_date_order(stamps, "x.csv")
    assert [parsing.parse_day(stamp, order) for stamp in stamps] == days


@given(st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.booleans()))
def test_any_value_is_an_amount_or_an_error(value: object) -> None:
    try:
        amount = parsing.parse_amount(value)
    except ValueError:
        return
    assert amount is None or 0 <= amount < float("inf")


@pytest.mark.parametrize(
    ("value", "amount"),
    [("1,234", 1234), ("1,234,567.5", 1234567.5), (" 5 ", 5), ("", None), (None, None), (0, 0)],
)
def test_commas_may_separate_thousands(value: object, amount: float | None) -> None:
    assert parsing.parse_amount(value) == amount


@pytest.mark.parametrize("value", ["1,23", "1_000", "-1", "nan", "inf", True, [], 10**400])
def test_invalid_amounts_raise(value: object) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parsing.parse_amount(value)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("13,666", 13_666),
        ("1,13,666", 113_666),
        ("12,34,567.5", 1_234_567.5),
        ("13 666", 13_666),
        ("13\u202f666.5", 13_666.5),
        ("13'666", 13_666),
        ("1\u2019234\u2019567", 1_234_567),
    ],
)
def test_groups_of_digits_of_any_locale_are_read(text: str, amount: float) -> None:
    assert parsing.parse_amount(text) == amount


@pytest.mark.parametrize(
    "text", ["1,2,3", "1,13,66", "13 66", "1 3", "13'66", "1''234", "12,345,67"]
)
def test_other_separators_are_no_groups_of_digits(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        parsing.parse_amount(text)
