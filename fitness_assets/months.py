"""Month keys such as ``2023-04``, as all parts of the platform write them. No Dagster here."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta

_KEY = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1970, 2100


def check(month: str) -> str:
    """Return `month` if it is a month that data may be of.

    Months that come from a user or from another machine are checked with this function: those at
    the ends of the calendar have no months around them.

    Raises
    ------
    ValueError
        If `month` is not of the form ``YYYY-MM``, or not from 1970 to 2100.
    """
    if not _FIRST_YEAR <= start(month).year <= _LAST_YEAR:
        raise ValueError(f"{month} is not a month from {_FIRST_YEAR} to {_LAST_YEAR}")
    return month


def is_month(text: str) -> bool:
    """Return whether `text` is a month that `check` accepts."""
    with suppress(ValueError):
        return check(text) == text
    return False


def start(month: str) -> date:
    """Return the first day of `month`.

    Raises
    ------
    ValueError
        If `month` is not of the form ``YYYY-MM``.
    """
    match = _KEY.fullmatch(month)
    if match is None or match[1] == "0000":
        raise ValueError(f"{month!r} is not a month; write it as YYYY-MM, for example 2023-04")
    return date(int(match[1]), int(match[2]), 1)


def is_key(text: str) -> bool:
    """Whether `text` is the key of a month."""
    return _KEY.match(text) is not None


def key(day: date) -> str:
    """Return the month that contains `day`."""
    return f"{day:%Y-%m}"


def shift(month: str, by: int) -> str:
    """Return the month `by` months after `month`, or before it if `by` is negative."""
    first = start(month)
    years, index = divmod(first.year * 12 + first.month - 1 + by, 12)
    return f"{years:04d}-{index + 1:02d}"


def end(month: str) -> date:
    """Return the first day after `month`."""
    return start(shift(month, 1))


def days(month: str) -> list[date]:
    """Return every day of `month`, in order."""
    first = start(month)
    return [first + timedelta(days=i) for i in range((end(month) - first).days)]


def between(first: str, last: str) -> list[str]:
    """Return the months from `first` to `last`, both included; none if `last` is before `first`."""
    months, month = [], first
    while month <= last:
        months.append(month)
        month = shift(month, 1)
    return months


def spans(months: Iterable[str]) -> str:
    """Return `months` as text, with three or more successive ones as ``2019-01 to 2019-05``."""
    runs: list[list[str]] = []
    for month in sorted(months):
        if runs and shift(runs[-1][-1], 1) == month:
            runs[-1].append(month)
        else:
            runs.append([month])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run)  # noqa: PLR2004
        for run in runs
    )


def trailing(month: str, length: int) -> list[str]:
    """Return the `length` months that end with `month`, in order."""
    return between(shift(month, 1 - length), month)


def text_until(last: date) -> str:
    """Return the days of a partial month as text, such as ``days 1 to 28 of 2026-11``."""
    span = "day 1" if last.day == 1 else f"days 1 to {last.day}"
    return f"{span} of {key(last)}"


def last_complete(today: date) -> str:
    """Return the last month that ended before `today`."""
    return shift(key(today), -1)
