"""The days and findings that a report is made from."""

from dataclasses import dataclass
from datetime import timedelta

from fitness_assets.answers import statistics
from fitness_assets.answers.findings import Findings
from fitness_assets.answers.home import Home
from fitness_assets.answers.periods import Period
from fitness_assets.answers.records import Days
from fitness_assets.answers.workouts import Workouts, read_workouts
from fitness_assets.errors import QuestionError

# Days before the period that its usual values are computed from.
_USUAL_DAYS = 365


@dataclass(frozen=True)
class Material:
    """What a report is made from.

    Attributes
    ----------
    period : Period
        The month or the year.
    now : Days
        Of the period.
    before : Days
        Of the period before.
    year_before : Days or None
        Of the same month of the year before; None for a year.
    usual : Days
        Of the 365 days before the period.
    findings : Findings
        Up to the last month of the period.
    workouts : Workouts
        Of the period.
    """

    period: Period
    now: Days
    before: Days
    year_before: Days | None
    usual: Days
    findings: Findings
    workouts: Workouts

    @property
    def is_month(self) -> bool:
        """Whether the period is a month."""
        return len(self.period.months()) == 1

    @property
    def kind(self) -> str:
        """What the period is called."""
        return "month" if self.is_month else "year"


def read_material(home: Home, user: str, period: Period) -> Material:
    """Read what the report of `user`, an id of the lake, about a month or a year is made from.

    Raises
    ------
    QuestionError
        If the user has no record in the period. The message names the months that the lake has.
    """
    is_month = len(period.months()) == 1
    home.records.months_of(period)
    same = statistics.year_before(period)
    first = min(same.first, period.first - timedelta(_USUAL_DAYS))
    days = home.records.read(user, Period(first, period.last))
    earlier = Period(period.first - timedelta(_USUAL_DAYS), period.first - timedelta(1))
    now = days.within(period)
    if not now.table.num_rows:
        dates = days.dates
        hint = f"; the last day before it is {dates[-1]}" if dates else ""
        raise QuestionError(f"{user} has no record in {period}{hint}")
    before = days.within(statistics.before(period))
    if not is_month:
        before = before.in_months(
            {f"{int(month[:4]) - 1}{month[4:]}" for month in now.sources.versions}
        )
    return Material(
        period=period,
        now=now,
        before=before,
        year_before=days.within(same) if is_month else None,
        usual=days.within(earlier),
        findings=home.findings(user, max(now.sources.versions)),
        workouts=read_workouts(home.records, period, days),
    )
