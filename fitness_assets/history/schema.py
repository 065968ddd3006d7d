"""The tables and the report of `person_history`.

`summaries` has one row a user, period and measure; `findings` has one row a finding. Both are
sorted by user first, so that a reader of one user decodes few row groups.
"""

from typing import Literal

import msgspec
import pyarrow as pa

from fitness_assets.record.raw import MEASUREMENTS

#: The columns of `daily_activity` that are summarized.
MEASURES = (*MEASUREMENTS, "weight_kg")
#: 1 where more of a measure is better, -1 where less is. Others have no bests.
DIRECTIONS = {
    "steps": 1,
    "distance_km": 1,
    "active_minutes": 1,
    "sleep_hours": 1,
    "resting_heart_rate": -1,
    "sedentary_minutes": -1,
}

#: Users above which a home has no findings. The findings of one user read up to ten years of days
#: and resample them, about 0.1 s each month; a view of one person's years is for small homes.
MAX_USERS = 50
#: Months whose days the findings of a month are computed from: ten years.
MAX_MONTHS = 120

Period = Literal["week", "month"]
#: The tables.
HISTORY_TABLES = ("summaries", "findings")

#: The columns of `summaries`, sorted by user, measure (in the order of `MEASURES`), period and
#: start.
#:
#: - period: ``week``, from Monday to Sunday, or ``month``. A week is in the month of its Sunday.
#: - start: the first day of the period.
#: - median, p10, p90: of the values of worn days, in the unit of the measure.
#: - days: worn days with a value.
#: - worn: worn days, of `length` days. The length of a period that has not ended counts its days so
#:   far.
#: - baseline: median of the values of the 21 days before the period; null with fewer than 7.
SUMMARIES = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("period", pa.string(), nullable=False),
        pa.field("start", pa.date32(), nullable=False),
        pa.field("median", pa.float32(), nullable=False),
        pa.field("p10", pa.float32(), nullable=False),
        pa.field("p90", pa.float32(), nullable=False),
        pa.field("days", pa.int16(), nullable=False),
        pa.field("worn", pa.int16(), nullable=False),
        pa.field("length", pa.int16(), nullable=False),
        pa.field("baseline", pa.float32()),
    ]
)

#: The kinds of findings, and the columns that each fills apart from `user_id` and `kind`:
#:
#: - ``best``: measure, period (``day``, ``week``, ``month`` or ``year``), start and end of the
#:   period, value (of a longer period the mean of its days) and n, the days with a value.
#: - ``streak``: measure and goal (both null for days worn), start, end, n days, and is_current:
#:   whether it reaches the last day. The longest streak, and the current one if it is another.
#: - ``gap``: start, end and n of at least 7 days in a row that were not worn.
#: - ``device_era``: device, start, end, n days of it.
#: - ``change_point``: measure, start (the first day after the change), earliest and latest (95%
#:   interval of that day), value (mean after less mean before), before, after, low and high (95%
#:   interval of the value), p (adjusted for all measures) and n, the days on which it rests;
#:   device, the new device if one begins within 14 days. Such a change may be one of readings.
#:   before and after are free of weekday effects and, from two years on, of an annual cycle.
#: - ``association``: measure, other, lag (days by which `other` is later), value (rank
#:   correlation), low and high (95%), slope (change of `other` for one unit of `measure`), p
#:   (adjusted for all that were tried) and n days.
#: - ``search``: what was tried, also if nothing was found. other is ``change_points`` or
#:   ``associations``, n the number of measures or of pairs and lags that had enough days.
Kind = Literal["best", "streak", "gap", "device_era", "change_point", "association", "search"]

#: The columns of `findings`, sorted by user and kind, and within a kind as each is listed.
FINDINGS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("measure", pa.string()),
        pa.field("other", pa.string()),
        pa.field("period", pa.string()),
        pa.field("start", pa.date32()),
        pa.field("end", pa.date32()),
        pa.field("earliest", pa.date32()),
        pa.field("latest", pa.date32()),
        pa.field("n", pa.int32(), nullable=False),
        pa.field("lag", pa.int16()),
        pa.field("value", pa.float64()),
        pa.field("before", pa.float64()),
        pa.field("after", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("slope", pa.float64()),
        pa.field("p", pa.float64()),
        pa.field("goal", pa.float64()),
        pa.field("is_current", pa.bool_()),
        pa.field("device", pa.string()),
    ]
)


class HistoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a month of `person_history` holds.

    Attributes
    ----------
    users : int
        Users with a record in the month or the month before.
    months : int
        Months of `daily_activity` that were read.
    summaries : int
        Rows of the table.
    findings : dict of str to int
        Number of findings by kind.
    reason : str or None
        Why there are no findings.
    """

    users: int
    months: int
    summaries: int
    findings: dict[str, int] = {}
    reason: str | None = None

    @property
    def reads_history(self) -> bool:
        """Whether the findings were computed, from all months up to this one."""
        return self.reason is None

    def headline(self) -> "HistoryReport":
        """What the manifest says of it: all of it."""
        return self
