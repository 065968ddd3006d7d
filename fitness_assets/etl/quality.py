"""Whether a month is fit to be learned from: pure checks of its days.

Each check says in figures what it saw. What they need of the month before is handed to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import chdtri

from fitness_assets import months
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.daily import RANGES, SCHEMA

#: Reads columns of a month's days.
Read = Callable[[Sequence[str]], pa.Table]

#: A population stability index above it counts as a shift (Siddiqi, Credit Risk Scorecards, 2006).
DRIFT_THRESHOLD = 0.25
# How often chance alone may exceed what is put down to chance.
_CHANCE = 0.001
_TENTHS = np.arange(0.1, 1.0, 0.1)

#: The numbers whose distribution is compared from month to month.
DRIFTING = [name for name in RANGES if name not in {"age", "height_cm", "weight_kg"}]

#: How a number is distributed: ``edges`` of bins, and ``shares`` of the rows that fall below each
#: edge, above the last, and that have no value.
Distribution = dict[str, list[float]]


@dataclass(frozen=True)
class PreviousMonth:
    """The month before, as the lake has it.

    Attributes
    ----------
    month : str
    read : callable
        Reads columns of its days.
    rows : int
    distributions : mapping
        What `distributions` gave for it.
    """

    month: str
    read: Read
    rows: int
    distributions: Mapping[str, Distribution]


def run_checks(
    read: Read,
    described: Mapping[str, Any],
    month: str,
    previous: PreviousMonth | None,
    least: float,
) -> list[CheckResult]:
    """Every check of a month's days; of one that is empty or misshapen, that alone.

    Parameters
    ----------
    read : callable
        Reads columns of the days.
    described : mapping
        The number of ``rows``, and ``columns``: their types, by name.
    month : str
    previous : PreviousMonth or None
        The month before, if there is one.
    least : float
        Share of the days expected below which a month is not `complete`.
    """
    schema_results = [not_empty(described["rows"]), right_schema(described["columns"])]
    if not all(result.passed for result in schema_results):
        return schema_results
    return [
        *schema_results,
        unique_days(read),
        dates_inside(read, month),
        values_in_range(read),
        complete(read, month, previous, least),
        no_drift(read, previous),
    ]


def every_file_read(unread: Mapping[str, str]) -> CheckResult:
    """No file of the source was set aside.

    Parameters
    ----------
    unread : mapping
        Files that could not be read, with the reason.
    """
    told = "; ".join(unread.values()) or "every file was read"
    return CheckResult("every_file_read", not unread, told, {"files": len(unread)})


def not_empty(rows: int) -> CheckResult:
    """At least one day."""
    return CheckResult("not_empty", rows > 0, f"{rows:,} user-days", {"rows": rows})


def right_schema(columns: Mapping[str, str]) -> CheckResult:
    """The columns of `SCHEMA`, of their types, and no others."""
    declared = {field.name: str(field.type) for field in SCHEMA}
    wrong = [
        f"{name} is {columns.get(name, 'missing')} and not {kind}"
        for name, kind in declared.items()
        if columns.get(name) != kind
    ]
    wrong += [f"{name} is unknown" for name in columns if name not in declared]
    told = "; ".join(wrong) or f"{len(columns)} columns as declared"
    return CheckResult("right_schema", not wrong, told)


def unique_days(read: Read) -> CheckResult:
    """One record a user and day."""
    days = read(["user_id", "date"])
    users = days["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    keys = users.astype(np.int64) << 32 | days["date"].cast(pa.int32()).to_numpy()
    repeated = len(keys) - len(np.unique(keys))
    return CheckResult(
        "unique_days", repeated == 0, f"{repeated:,} repeated user-days", {"repeated": repeated}
    )


def dates_inside(read: Read, month: str) -> CheckResult:
    """Every day lies in `month`."""
    dates = read(["date"])["date"]
    inside = pc.and_(
        pc.greater_equal(dates, pa.scalar(months.start(month))),
        pc.less(dates, pa.scalar(months.end(month))),
    )
    outside = len(dates) - (pc.sum(inside).as_py() or 0)
    return CheckResult(
        "dates_inside", outside == 0, f"{outside:,} days outside {month}", {"outside": outside}
    )


def values_in_range(read: Read) -> CheckResult:
    """Every value known lies in its range of `RANGES`."""
    outside = {}
    for name, (low, high) in RANGES.items():
        values = read([name])[name]
        # Not-a-number compares false with everything, and so counts as outside.
        inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
        outside[name] = len(values) - values.null_count - (pc.sum(inside).as_py() or 0)
    wrong = {name: count for name, count in outside.items() if count}
    told = ", ".join(f"{count:,} of {name}" for name, count in wrong.items())
    return CheckResult("values_in_range", not wrong, told or "no value out of range", dict(wrong))


def complete(read: Read, month: str, previous: PreviousMonth | None, least: float) -> CheckResult:
    """The people of the month before delivered their days again, at least the share `least`.

    The roster of a month is who delivered in the month before. As many days a month are expected
    of each as then.
    """
    if previous is None:
        return CheckResult("complete", True, "no month before to take a roster from")
    then = pc.value_counts(previous.read(["user_id"])["user_id"])
    now = pc.value_counts(read(["user_id"])["user_id"])
    kept = pc.is_in(now.field("values"), value_set=then.field("values"))
    delivered = pc.sum(now.field("counts").filter(kept)).as_py() or 0
    expected = previous.rows * len(months.days(month)) / len(months.days(previous.month))
    share = min(delivered / expected, 1.0) if expected else 1.0
    return CheckResult(
        "complete",
        share >= least,
        f"{share:.0%} of the days expected of the {len(then):,} people of {previous.month} "
        f"(at least {least:.0%})",
        {"completeness": share, "roster": len(then)},
    )


def no_drift(read: Read, previous: PreviousMonth | None) -> CheckResult:
    """Each number is distributed as in the month before, by its population stability index.

    The index is the sum of (p - q) ln(p / q) over tenths of the month before, with a bin for what
    is missing. For two samples of one population it is about a chi-squared variable times
    (1/n + 1/m), which bounds what chance alone makes of small months.
    """
    if previous is None:
        return CheckResult("no_drift", True, "no month before to compare with")
    indices, shifted = {}, []
    for name in DRIFTING:
        then = previous.distributions[name]
        values = _numbers(read, name)
        now_rows, then_rows = max(len(values), 1), max(previous.rows, 1)
        # Half a row in an empty bin, or the index would be infinite.
        p = np.maximum(_shares(values, np.array(then["edges"])), 0.5 / now_rows)
        q = np.maximum(then["shares"], 0.5 / then_rows)
        index = float(np.sum((p - q) * np.log(p / q)))
        indices[name] = index
        chance = chdtri(len(p) - 1, _CHANCE) * (1 / now_rows + 1 / then_rows)
        if index > max(DRIFT_THRESHOLD, chance):
            shifted.append(f"{name} {index:.2f}")
    message = "no number shifted"
    if shifted:
        message = f"shifted since {previous.month}: {', '.join(shifted)}"
    return CheckResult("no_drift", not shifted, message, dict(indices))


def distributions(read: Read) -> dict[str, Distribution]:
    """How each of `DRIFTING` is distributed, in tenths, for the next month to compare with."""
    told = {}
    for name in DRIFTING:
        values = _numbers(read, name)
        known = values[~np.isnan(values)]
        edges = np.unique(np.quantile(known, _TENTHS)) if len(known) else np.zeros(0)
        told[name] = {"edges": edges.tolist(), "shares": _shares(values, edges).tolist()}
    return told


def _numbers(read: Read, name: str) -> np.ndarray:
    """The column `name`, with not-a-number where a value is missing."""
    return np.asarray(read([name])[name].cast(pa.float64()).fill_null(float("nan")))


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    known = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
    with_missing = np.append(counts, len(values) - len(known))
    return np.asarray(with_missing / max(len(values), 1))
