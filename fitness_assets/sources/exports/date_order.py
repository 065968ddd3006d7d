"""The order of year, month and day in the dates of a file, decided from all of them."""

from collections.abc import Collection
from datetime import date, timedelta

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.parsing import parse_day

# In order of preference, if a file's dates fit several equally well.
_ORDERS = ("ymd", "mdy", "dmy")
_MONTHS = 12
# Days outside of the range of a file that are no longer chance if each of them fits when its day
# and its month are swapped.
_MIN_SWAPPED = 3
_ADVICE = "export it again, or correct it and declare `date_format` in a layout"


def detect_date_order(texts: Collection[str], name: str) -> str:
    """The order of year, month and day in the file `name`.

    It is the order that fits most dates; if several do, the one with the shortest range of days,
    since a file's days follow one another; if that is equal too, the first of ``ymd``, ``mdy`` and
    ``dmy``.

    Parameters
    ----------
    texts : collection of str
        The dates of the file. What is a date in no order is ignored.
    name : str

    Raises
    ------
    SourceError
        If some dates have another order than the others, or day and month of some seem to be
        swapped. Spreadsheets do both to dates that they misread.
    """
    days = {order: _parsed(texts, order) for order in _ORDERS}

    def fit(order: str) -> tuple[int, int]:
        found = days[order].values()
        return len(found), -(max(found) - min(found)).days if found else 0

    best = max(_ORDERS, key=fit)
    for order in _ORDERS:
        for text in days[order]:
            if text not in days[best]:
                example = next(iter(sorted(days[best])))
                raise SourceError(
                    f"{name} mixes orders of day and month: {example!r} and {text!r}; {_ADVICE}"
                )
    check_swapped(days[best].values(), name)
    return best


def check_swapped(days: Collection[date], name: str) -> None:
    """Raise SourceError if the days jump out of the file's range as if some were swapped.

    The 13th to the 31st cannot be swapped with a month: they give the range of months. If several
    other days lie outside of it, and all of them inside once day and month are swapped, on days
    that are missing, then a program has read them in the wrong order.
    """
    fixed = {day for day in days if day.day > _MONTHS}
    if not fixed:
        return
    first = min(fixed).replace(day=1)
    last = (max(fixed).replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    outside = {day for day in days if not first <= day <= last}
    if not _MIN_SWAPPED <= len(outside) <= len(fixed):
        return
    swapped = {day.replace(month=day.day, day=day.month) for day in outside}
    if swapped.isdisjoint(days) and all(first <= day <= last for day in swapped):
        raise SourceError(
            f"{name}: day and month of some dates seem to be swapped, since {min(outside)} to "
            f"{max(outside)} lie outside of {first:%Y-%m} to {last:%Y-%m}; {_ADVICE}"
        )


def _parsed(texts: Collection[str], order: str) -> dict[str, date]:
    days = {}
    for text in texts:
        try:
            days[text] = parse_day(text, order)
        except ValueError:
            continue
    return days
