from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets import months

keys = st.dates(date(1990, 1, 1), date(2100, 12, 31)).map(months.key)


@given(keys, st.integers(-240, 240))
def test_shift_by_the_negative_returns_to_the_month(month: str, by: int) -> None:
    assert months.shift(months.shift(month, by), -by) == month


@given(keys)
def test_days_are_exactly_those_of_the_month(month: str) -> None:
    days = months.days(month)
    assert {months.key(day) for day in days} == {month}
    assert days[0].day == 1
    assert months.end(month) == months.start(months.shift(month, 1))
    assert (months.end(month) - days[-1]).days == 1


def test_trailing_windows_and_ranges() -> None:
    assert months.trailing("2023-02", 3) == ["2022-12", "2023-01", "2023-02"]
    assert months.between("2022-11", "2023-02") == ["2022-11", "2022-12", "2023-01", "2023-02"]
    assert months.between("2023-02", "2022-11") == []
    assert months.last_complete(date(2024, 1, 31)) == "2023-12"


@pytest.mark.parametrize(
    ("months_given", "text"),
    [
        ([], ""),
        (["2023-04"], "2023-04"),
        (["2023-05", "2023-04"], "2023-04, 2023-05"),
        (["2022-11", "2022-12", "2023-01"], "2022-11 to 2023-01"),
        (["2023-05", "2022-11", "2022-12", "2023-01"], "2022-11 to 2023-01, 2023-05"),
    ],
)
def test_successive_months_are_one_span(months_given: list[str], text: str) -> None:
    assert months.spans(months_given) == text


@pytest.mark.parametrize("text", ["2023-13", "2023-1", "23-01", "2023-00", "2023-01-01", "0000-01"])
def test_the_error_names_an_invalid_month(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        months.start(text)


@pytest.mark.parametrize(
    "text",
    ["1969-12", "2101-01", "3000-01", "9999-12", "2023-04\n", "٢٠٢٣-٠٤", "\uff12023-04", "+023-04"],
)
def test_a_month_from_outside_is_ascii_and_in_range(text: str) -> None:
    assert not months.is_month(text)
    with pytest.raises(ValueError, match="is not a month"):
        months.check(text)


def test_the_months_at_the_ends_of_the_range_have_months_around_them() -> None:
    for month in ("1970-01", "2100-12"):
        assert months.check(month) == month
        assert months.shift(months.shift(month, 1), -1) == month
        assert len(months.days(month)) == 31
        assert len(months.trailing(month, 24)) == 24
