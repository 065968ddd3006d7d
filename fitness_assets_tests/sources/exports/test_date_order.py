from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.date_order import detect_date_order

STYLES = ["%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d", "%d.%m.%Y", "%m-%d-%Y"]


@given(st.dates(date(1990, 1, 1), date(2099, 1, 1)), st.integers(13, 400), st.sampled_from(STYLES))
def test_consecutive_days_are_never_suspected(first: date, length: int, style: str) -> None:
    days = [first + timedelta(days=index) for index in range(length)]
    detect_date_order([day.strftime(style) for day in days], "x.csv")


def swapped(day: date) -> date:
    """The day as a spreadsheet of another locale reads it."""
    return day if day.day > 12 else day.replace(month=day.day, day=day.month)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("month", [2, 4, 9, 12])
def test_a_month_of_which_days_are_swapped_is_refused(month: int, style: str) -> None:
    days = [date(2024, month, number) for number in range(1, 29)]
    detect_date_order([day.strftime(style) for day in days], "x.csv")
    with pytest.raises(SourceError, match=r"x\.csv: day and month of some dates seem to be swap"):
        detect_date_order([swapped(day).strftime(style) for day in days], "x.csv")


@pytest.mark.parametrize(
    "texts",
    [
        ["4/30/2016", "13/04/2016"],
        ["2016-01-04", "2016-02-04", "13/04/2016", "14/04/2016"],
        ["13.04.2016", "2016-04-14"],
    ],
)
def test_a_file_that_mixes_orders_is_refused(texts: list[str]) -> None:
    with pytest.raises(SourceError, match=r"x\.csv mixes orders of day and month: '.*' and '.*'"):
        detect_date_order(texts, "x.csv")


@pytest.mark.parametrize(
    "texts",
    [
        # Weighings on the fourth of each month, and one more.
        [*(f"2024-{month:02d}-04" for month in range(1, 10)), "2024-04-15"],
        # The days before and after one month.
        ["2024-03-30", "2024-04-13", "2024-04-20", "2024-05-01", "2024-05-02", "2024-05-03"],
        ["2024-04-20", "soon", "99/99/2024", ""],
    ],
)
def test_sparse_days_are_not_suspected(texts: list[str]) -> None:
    assert detect_date_order(texts, "x.csv") == "ymd"
