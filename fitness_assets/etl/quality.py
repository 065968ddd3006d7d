"""The data checks: pure functions that decide whether a month may be published.

`RAW_CHECKS` and `DAILY_CHECKS` are the only list of them: the Dagster asset checks, the run of the
checks and the refusal of a month are derived from it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets import months
from fitness_assets.formatting import days_text, number, percent, plural
from fitness_assets.record import population
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.daily import schema_of
from fitness_assets.record.distribution import DRIFT_LIMIT, Distribution
from fitness_assets.record.raw import MEASUREMENTS, OPTIONAL_MEASUREMENTS, RANGES

#: Reads columns of the rows of a month.
Read = Callable[[Sequence[str]], pa.Table]

#: Population stability index above which a distribution has drifted (Siddiqi, Credit Risk
#: Scorecards, 2006).
DRIFT_THRESHOLD = 0.25
# Share of samples of one distribution whose index may exceed what is attributed to chance.
_SIGNIFICANCE = 0.001
# Days so far of a partial month from which its distributions are compared: one of each weekday.
_MIN_DAYS_COMPARED = 7
_DECILES = np.arange(0.1, 1.0, 0.1)


@dataclass(frozen=True)
class PreviousMonth:
    """The month before, as published in the lake.

    Attributes
    ----------
    month : str
    read : callable
        Reads columns of its rows.
    rows : int
    days : int
        Days of the month, or its days so far if it is partial.
    distributions : mapping
        Result of `distributions` for it, by column.
    """

    month: str
    read: Read
    rows: int
    days: int
    distributions: Mapping[str, Distribution]


@dataclass(frozen=True)
class CheckedMonth:
    """A month of `daily_activity`, before it is published.

    Attributes
    ----------
    month : str
    read : callable
        Reads columns of its rows.
    rows : int
    columns : mapping
        Arrow types as text, by column.
    previous : PreviousMonth or None
        The month before, if it is published.
    min_completeness : float
        Share of the expected user-days below which the month is not `complete`.
    partial_until : date or None
        The last day so far if the month has not ended. The checks judge the days until it.
    imported : bool
        Whether the records are imported exports. Each covers its own users and months, so a user
        of the month before need not have records.
    """

    month: str
    read: Read
    rows: int
    columns: Mapping[str, str]
    previous: PreviousMonth | None
    min_completeness: float
    partial_until: date | None = None
    imported: bool = False

    @property
    def days(self) -> int:
        """Days of the month, or its days so far if it is partial."""
        return days_so_far(self.month, self.partial_until)


class Outcome(NamedTuple):
    """What the function of a check returns; see `CheckResult`."""

    passed: bool
    message: str
    values: Mapping[str, int | float] = {}
    judged: bool = True


def _not_judged(message: str, values: Mapping[str, int | float] | None = None) -> Outcome:
    """The outcome of a check without anything to judge or to compare with."""
    return Outcome(True, message, values or {}, judged=False)


T = TypeVar("T")


@dataclass(frozen=True)
class DataCheck(Generic[T]):
    """One data check. Its name is that of its function.

    Attributes
    ----------
    function : callable
    description : str
        One sentence, in the present tense, for the Dagster UI.
    blocking : bool
        Whether a month that fails is not published.
    prerequisite : bool
        Whether the checks after it cannot run if it fails.
    """

    function: Callable[[T], Outcome]
    description: str
    blocking: bool = False
    prerequisite: bool = False

    @property
    def name(self) -> str:
        """Name of the check."""
        return self.function.__name__

    def run(self, data: T) -> CheckResult:
        """Run the check on `data`."""
        outcome = self.function(data)
        return CheckResult(
            self.name, outcome.passed, outcome.message, dict(outcome.values), outcome.judged
        )


def days_so_far(month: str, partial_until: date | None) -> int:
    """Days of `month`, or those until the last day so far if it is partial."""
    return len(months.days(month)) if partial_until is None else partial_until.day


def run_checks(checks: Sequence[DataCheck[T]], data: T) -> list[CheckResult]:
    """Run `checks` in order; stop after the prerequisites if one of them fails."""
    required = [check.run(data) for check in checks if check.prerequisite]
    if not all(result.passed for result in required):
        return required
    return [*required, *(check.run(data) for check in checks if not check.prerequisite)]


def every_file_read(unread: Mapping[str, str]) -> Outcome:
    """No file of the source was quarantined; `unread` gives the reasons, by file."""
    message = "; ".join(unread.values()) or "every file was read"
    return Outcome(not unread, message, {"files": len(unread)})


def not_empty(data: CheckedMonth) -> Outcome:
    """At least one row."""
    return Outcome(data.rows > 0, plural(data.rows, "user-day"), {"rows": data.rows})


def right_schema(data: CheckedMonth) -> Outcome:
    """The columns of `record.daily.schema_of`, with their types, and no others."""
    declared = {field.name: str(field.type) for field in schema_of(data.columns)}
    wrong = [
        f"{name} is {data.columns.get(name, 'missing')} and not {kind}"
        for name, kind in declared.items()
        if data.columns.get(name) != kind
    ]
    wrong += [f"{name} is unknown" for name in data.columns if name not in declared]
    return Outcome(not wrong, "; ".join(wrong) or f"{len(data.columns)} columns as declared")


def unique_days(data: CheckedMonth) -> Outcome:
    """One row per user and day."""
    days = data.read(["user_id", "date"])
    users = days["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    keys = users.astype(np.int64) << 32 | days["date"].cast(pa.int32()).to_numpy()
    repeated = len(keys) - len(np.unique(keys))
    return Outcome(repeated == 0, plural(repeated, "repeated user-day"), {"repeated": repeated})


def dates_inside(data: CheckedMonth) -> Outcome:
    """Every date is in the month."""
    dates = data.read(["date"])["date"]
    inside = pc.and_(
        pc.greater_equal(dates, pa.scalar(months.start(data.month))),
        pc.less(dates, pa.scalar(months.end(data.month))),
    )
    outside = len(dates) - (pc.sum(inside).as_py() or 0)
    return Outcome(outside == 0, f"{days_text(outside)} outside {data.month}", {"outside": outside})


def values_in_range(data: CheckedMonth) -> Outcome:
    """Every known value is in its range of `RANGES`."""
    outside = {}
    for name, (low, high) in RANGES.items():
        if name not in data.columns:
            continue
        values = data.read([name])[name]
        # Comparisons with NaN are false, so NaN counts as outside.
        inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
        outside[name] = len(values) - values.null_count - (pc.sum(inside).as_py() or 0)
    wrong = {name: count for name, count in outside.items() if count}
    message = ", ".join(f"{number(count)} of {name}" for name, count in wrong.items())
    return Outcome(not wrong, message or "every known value is in its range", wrong)


def complete(data: CheckedMonth) -> Outcome:
    """The users of the month before delivered enough of the expected days.

    The roster is the users of the month before. Each is expected to deliver the same share of the
    days of the month as then. In a partial month these are the days so far. Of a partial month, of
    imported exports, and of fewer than `MIN_USERS` users, only those who delivered again are on the
    roster: devices deliver late, exports end, and a few users may have stopped.

    The month passes if the roster says little about it: if it is much smaller than the users of the
    month, or has fewer than `MIN_USERS` users and those of the two months are not the same.
    """
    previous = data.previous
    if previous is None:
        return _not_judged("no month before to take a roster from")
    then, now = _days_by_user(previous.read), _days_by_user(data.read)
    if len(then) < len(now) and not population.similar_sizes(len(then), len(now)):
        return _not_judged(_different_sizes(then, now, previous.month))
    again = then.keys() & now.keys()
    is_partial = data.partial_until is not None
    only_again = data.imported or is_partial or len(then) < population.MIN_USERS
    roster = again if only_again else then.keys()
    delivered = sum(now[user] for user in again)
    expected = sum(then[user] for user in roster) * data.days / previous.days
    share = min(delivered / expected, 1.0) if expected else 1.0
    values = {"completeness": share, "roster": len(roster)}
    if len(roster) < population.MIN_USERS and then.keys() != now.keys():
        message = f"{number(len(roster))} users of {previous.month} to compare with are too few"
        return _not_judged(message, values)
    return Outcome(
        share >= data.min_completeness,
        f"{percent(share)} of the expected days of the {number(len(roster))} users of "
        f"{previous.month} (at least {percent(data.min_completeness)})",
        values,
    )


def no_drift(data: CheckedMonth) -> Outcome:
    """The population stability index of each measurement against the month before is small.

    The index is the sum of (p - q) ln(p / q) over the deciles of the month before, plus a bin for
    missing values. For two samples of one population, of n and m rows, it is distributed about as a
    chi-squared variable times (1/n + 1/m), which bounds the drift by chance in small months. The
    limit of a month, of all its measurements, is that bound or `DRIFT_THRESHOLD` if it is greater.

    Months whose numbers of users are very different, or with fewer than `MIN_USERS` users who are
    not the same, are not compared: what differs is who the users are.
    """
    from scipy.special import chdtri

    previous = data.previous
    if previous is None:
        return _not_judged("no month before to compare with")
    if data.days < _MIN_DAYS_COMPARED:
        return _not_judged(f"compared from day {_MIN_DAYS_COMPARED} of a partial month")
    then_users, now_users = _days_by_user(previous.read), _days_by_user(data.read)
    if not population.similar_sizes(len(then_users), len(now_users)):
        return _not_judged(_different_sizes(then_users, now_users, previous.month))
    fewer = min(len(then_users), len(now_users))
    if fewer < population.MIN_USERS and then_users.keys() != now_users.keys():
        message = f"{previous.month} has other users, and {number(fewer)} are too few to compare"
        return _not_judged(message)
    now_rows, then_rows = max(data.rows, 1), max(previous.rows, 1)
    chance = chdtri(len(_DECILES) + 1, _SIGNIFICANCE) * (1 / now_rows + 1 / then_rows)
    limit = max(DRIFT_THRESHOLD, float(chance))
    indices, drifted = {}, []
    for name in _measurements(data.columns):
        then = previous.distributions.get(name)
        if then is None:
            continue  # the month before is of a version without this column
        values = _numbers(data.read, name)
        # An empty bin counts as half a row, or the index would be infinite.
        p = np.maximum(_shares(values, np.array(then.edges)), 0.5 / now_rows)
        q = np.maximum(then.shares, 0.5 / then_rows)
        index = float(np.sum((p - q) * np.log(p / q)))
        indices[name] = index
        if index > limit:
            drifted.append(f"{name} {number(index, 2)}")
    message = f"drift since {previous.month}: {', '.join(drifted)}" if drifted else "no drift"
    return Outcome(not drifted, message, {**indices, DRIFT_LIMIT: limit})


#: The checks of `raw_telemetry`, which are given the unreadable files with the reasons.
RAW_CHECKS = (
    DataCheck(every_file_read, "Every file of the source is readable; others are quarantined."),
)

#: The checks of `daily_activity`, in the order in which they run.
DAILY_CHECKS = (
    DataCheck(not_empty, "There is at least one user-day.", blocking=True, prerequisite=True),
    DataCheck(
        right_schema,
        "The columns are those declared, with their types.",
        blocking=True,
        prerequisite=True,
    ),
    DataCheck(unique_days, "There is one row per user and day.", blocking=True),
    DataCheck(dates_inside, "Every date is in the month.", blocking=True),
    DataCheck(values_in_range, "Every known value is in the range of its column.", blocking=True),
    DataCheck(
        complete,
        "The users of the month before delivered enough of the expected days.",
        blocking=True,
    ),
    DataCheck(
        no_drift,
        "The distribution of each measurement is close to that of the month before "
        "(population stability index).",
    ),
)


def distributions(read: Read, columns: Collection[str] = MEASUREMENTS) -> dict[str, Distribution]:
    """Compute the distribution of each measurement, in deciles, for `no_drift` of the next month.

    Parameters
    ----------
    read : callable
        Reads columns of the rows of the month.
    columns : collection of str
        Names of its columns.
    """
    found = {}
    for name in _measurements(columns):
        values = _numbers(read, name)
        known = values[~np.isnan(values)]
        edges = np.unique(np.quantile(known, _DECILES)) if len(known) else np.zeros(0)
        shares = _shares(values, edges).tolist()
        found[name] = Distribution(edges=edges.tolist(), shares=shares)
    return found


def _measurements(columns: Collection[str]) -> list[str]:
    """The measurements of a month with `columns`."""
    return [*MEASUREMENTS, *(name for name in OPTIONAL_MEASUREMENTS if name in columns)]


def _days_by_user(read: Read) -> dict[str, int]:
    counts = pc.value_counts(read(["user_id"])["user_id"])
    users, days = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
    return dict(zip(users, days, strict=True))


def _different_sizes(then: Mapping[str, int], now: Mapping[str, int], before: str) -> str:
    return f"{number(len(now))} users cannot be compared with the {number(len(then))} of {before}"


def _numbers(read: Read, name: str) -> np.ndarray:
    """Read the column `name` as floats, with NaN for missing values."""
    return np.asarray(read([name])[name].cast(pa.float64()).fill_null(float("nan")))


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
    with_missing = np.append(counts, len(values) - len(known))
    return np.asarray(with_missing / max(len(values), 1))
