"""Periods that a question is about: a day, a month, a year or a range of these."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

from fitness_assets import months
from fitness_assets.errors import QuestionError
from fitness_assets.formatting import number
from fitness_assets.text import shorten

#: Limit on the days of a period: ten years.
MAX_DAYS = 3_660
_RANGE = ".."
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_HOW = "write a day (2023-04-01), a month (2023-04), a year (2023) or a range (2023-01..2023-03)"


@dataclass(frozen=True)
class Period:
    """Days from `first` to `last`, both included.

    Attributes
    ----------
    first, last : date
    """

    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    def months(self) -> list[str]:
        """The months that the period touches, in order."""
        return months.between(months.key(self.first), months.key(self.last))

    def __str__(self) -> str:
        whole_months = self.first.day == 1 and (self.last + timedelta(1)).day == 1
        if whole_months and (self.first.month, self.last.month) == (1, 12):
            if self.first.year == self.last.year:
                return f"{self.first:%Y}"
            return f"{self.first:%Y}{_RANGE}{self.last:%Y}"
        if whole_months:
            ends = months.key(self.first), months.key(self.last)
        else:
            ends = f"{self.first}", f"{self.last}"
        return ends[0] if ends[0] == ends[1] else _RANGE.join(ends)


def month_period(month: str) -> Period:
    """The days of `month`."""
    return Period(months.start(month), months.end(month) - timedelta(1))


def year_period(year: int) -> Period:
    """The days of `year`."""
    return Period(date(year, 1, 1), date(year, 12, 31))


def parse_period(text: str) -> Period:
    """The period that `text` names.

    Raises
    ------
    QuestionError
        If `text` is not a period, ends before it begins, is not from 1970 to 2100, or has more than
        `MAX_DAYS` days.
    """
    first, separator, last = text.strip().partition(_RANGE)
    begin = _part(first, text)
    end = _part(last, text) if separator else begin
    period = Period(begin.first, end.last)
    if period.last < period.first:
        raise QuestionError(f"the period {shorten(text)} ends before it begins")
    if period.days > MAX_DAYS:
        raise QuestionError(
            f"the period {period} has {number(period.days)} days, more than {number(MAX_DAYS)}; "
            "ask for less"
        )
    return period


def parse_day(text: str) -> date:
    """The day that `text`, YYYY-MM-DD, names; QuestionError if it names none."""
    period = parse_period(text)
    if period.days != 1:
        raise QuestionError(f"{shorten(text)} is not a day; write it as YYYY-MM-DD")
    return period.first


def check_month(month: str | None) -> str | None:
    """`month`, if it is None or a month that data may be of; else QuestionError."""
    try:
        return None if month is None else months.check(month)
    except ValueError as error:
        raise QuestionError(str(error)) from error


def _part(part: str, text: str) -> Period:
    part = part.strip()
    try:
        if _DAY.fullmatch(part):
            day = date.fromisoformat(part)
            months.check(months.key(day))
            return Period(day, day)
        if _YEAR.fullmatch(part):
            months.check(f"{part}-01")
            return year_period(int(part))
        return month_period(months.check(part))
    except ValueError as error:
        if _DAY.fullmatch(part) or _YEAR.fullmatch(part) or months.is_key(part):
            raise QuestionError(f"{shorten(text)} is not a period: {error}") from error
        raise QuestionError(f"{shorten(text)} is not a period; {_HOW}") from error
