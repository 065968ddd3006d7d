"""The aggregated tables of a release, computed from one month of `daily_activity`.

Only `user_days` and `user_map` hold user ids; they are the pseudonymous ids of the lake.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.history.sleep_times import clock_minutes
from fitness_assets.models.one_thread import one_thread
from fitness_assets.record import workouts as record
from fitness_assets.record.raw import MEASUREMENTS, OPTIONAL_MEASUREMENTS, SLEEP_SPAN, TRAITS
from fitness_assets.release.bundle import MonthSummary, Projection
from fitness_assets.release.totals import Totals, means

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: The numeric columns that are described.
NUMBERS = MEASUREMENTS
#: The columns of a user's history in `user_days`.
HISTORY = (
    "steps_mean_28d",
    "calories_burned_mean_7d",
    "calories_burned_mean_28d",
    "resting_heart_rate_mean_28d",
)
#: The columns of `daily_activity` that the functions of this module read.
COLUMNS = [
    *("user_id", "date", "day_of_week", "worn", "activity_type", "quality_flags"),
    *NUMBERS,
    *TRAITS,
    *HISTORY,
]
_OF_WORKOUTS = (
    *("activity", "minutes", "distance_km", "calories_burned"),
    *("heart_rate_avg", "heart_rate_max", "source"),
)
#: The columns of `workouts`.
WORKOUTS = pa.schema(
    [
        record.SCHEMA.field("user_id"),
        pa.field("date", pa.date32(), nullable=False),
        # As 18:05: the reader of releases takes no timestamps.
        pa.field("start", pa.string(), nullable=False),
        *(record.SCHEMA.field(name) for name in _OF_WORKOUTS),
    ]
)
#: Rows of `sample`.
SAMPLE_SIZE = 1_500

_BINS = 40
# Resolutions of devices, coarsest first.
_RESOLUTIONS = (1.0, 0.1, 0.01)
# Values outside these quantiles are counted in the outermost bins, so that one wrong value does not
# compress all others into a single bin.
_BIN_LIMITS = (0.001, 0.999)
_TREND_BINS = 20
_SPREAD_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Tukey (Exploratory Data Analysis, 1977): a value is "far out" beyond this many interquartile
# ranges outside the quartiles.
FAR_OUT = 3


def workouts(rows: pa.Table) -> pa.Table:
    """The workouts of users, with `WORKOUTS`, from rows of `record.workouts`."""
    local = rows["local_start"]
    columns = {
        "user_id": rows["user_id"],
        "date": local.cast(pa.date32()),
        "start": pc.strftime(local, format="%H:%M"),
        **{name: rows[name] for name in _OF_WORKOUTS},
    }
    return pa.table(columns).cast(WORKOUTS)


def by_day(totals: Totals) -> pd.DataFrame:
    """One row a date: records, worn records, and the mean of each number over its known values."""
    return totals.by_date[["records", "worn"]].join(means(totals.by_date)).reset_index()


def by_weekday(totals: Totals) -> pd.DataFrame:
    """As `by_day`, one row a ``day_of_week``, from 1 for Monday to 7 for Sunday."""
    weekday = pd.DatetimeIndex(totals.by_date.index).dayofweek + 1
    sums = totals.by_date.groupby(weekday.rename("day_of_week")).sum()
    return sums[["records", "worn"]].join(means(sums)).reset_index()


def by_activity(totals: Totals) -> pd.DataFrame:
    """One row an ``activity_type``, most frequent first: days, users, and means of numbers."""
    counts = totals.by_activity[["records", "users"]].rename(columns={"records": "days"})
    table = counts.join(means(totals.by_activity))
    return table.sort_values("days", ascending=False, kind="stable").reset_index()


def spreads(days: pd.DataFrame) -> pd.DataFrame:
    """Quantiles of each number by activity.

    Returns
    -------
    DataFrame
        Columns ``activity_type``, ``number``, and the quantiles ``p5``, ``p25``, ``p50``, ``p75``
        and ``p95``. No row where no value is known.
    """
    labelled = days[["activity_type", *NUMBERS]].astype(dict.fromkeys(NUMBERS, float))
    long = labelled.melt("activity_type", var_name="number").dropna()
    values = long.groupby(["activity_type", "number"])["value"]
    quantiles = {f"p{round(100 * share)}": values.quantile(share) for share in _SPREAD_QUANTILES}
    return pd.DataFrame(quantiles).reset_index()


def histograms(days: pd.DataFrame) -> pd.DataFrame:
    """Histogram of each number, of about `_BINS` equal bins.

    Returns
    -------
    DataFrame
        Columns ``number``, ``low`` and ``high`` of the bin, and ``days``. The outermost bins also
        count the values beyond them, about one in a thousand on each side.
    """
    parts = []
    for name in NUMBERS:
        known = days[name].dropna().to_numpy(dtype=float)
        if not len(known):
            continue
        low, high = np.quantile(known, _BIN_LIMITS)
        # The bin width is a multiple of the resolution: otherwise some bins would cover one more
        # possible value than others.
        step = next(
            (s for s in _RESOLUTIONS if np.allclose(known, np.round(known / s) * s)),
            _RESOLUTIONS[-1],
        )
        width = max(np.ceil((high - low) / _BINS / step), 1) * step
        edges = np.arange(np.floor(low / step) * step - step / 2, high + width, width)
        counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
        parts.append(
            pd.DataFrame({"number": name, "low": edges[:-1], "high": edges[1:], "days": counts})
        )
    if not parts:
        return pd.DataFrame({"number": [], "low": [], "high": [], "days": []})
    return pd.concat(parts, ignore_index=True)


def correlations(days: pd.DataFrame) -> pd.DataFrame:
    """Pearson correlation of each pair of numbers, over the days that have both.

    Returns
    -------
    DataFrame
        Columns ``x``, ``y`` and ``r``: each pair in both orders, without the diagonal.
        ``r`` is missing where a number is constant.
    """
    table = days[list(NUMBERS)].astype(float).corr().rename_axis("x")
    pairs = table.melt(var_name="y", value_name="r", ignore_index=False).reset_index()
    return pairs[pairs["x"] != pairs["y"]].reset_index(drop=True)


def trends(days: pd.DataFrame) -> pd.DataFrame:
    """Median of each number within quantile bins of each other number: a nonparametric trend.

    Returns
    -------
    DataFrame
        Columns ``x`` and ``y``, names of numbers; ``at``, the median of x in the bin; ``median``,
        that of y; and ``days`` that have both.
    """
    numbers = days[list(NUMBERS)].astype(float)
    parts = []
    for x in NUMBERS:
        known = numbers[numbers[x].notna()]
        if known[x].nunique() < 2:  # noqa: PLR2004 - a trend needs two values
            continue
        bins = known.groupby(pd.qcut(known[x], _TREND_BINS, duplicates="drop"), observed=True)
        medians, counts = bins.median(), bins.count()
        for y in NUMBERS:
            if y != x:
                part = {"at": medians[x], "median": medians[y], "days": counts[y]}
                parts.append(pd.DataFrame(part).dropna().assign(x=x, y=y))
    columns = ["x", "y", "at", "median", "days"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def sample(days: pd.DataFrame) -> pd.DataFrame:
    """Up to `SAMPLE_SIZE` worn days without user ids, for scatter plots.

    The sample does not depend on the order of the rows.
    """
    worn = days[days["worn"]]
    hashes = pd.util.hash_pandas_object(worn[["user_id", "date"]].astype(str), index=False)
    drawn = worn.iloc[np.argsort(hashes.to_numpy(), kind="stable")[:SAMPLE_SIZE]]
    return drawn[["activity_type", *NUMBERS]].reset_index(drop=True)


def user_map(
    model: "Pipeline",
    table: pd.DataFrame,
    features: list[str],
    previous: Mapping[str, str],
) -> tuple[pd.DataFrame, Projection]:
    """Users on the first two principal components of the features of the segments.

    Parameters
    ----------
    model : Pipeline
        The segment model.
    table : DataFrame
        One row a user: ``user_id``, ``segment``, ``segment_name``, and the profile.
    features : list of str
        Features of the model.
    previous : mapping
        Current name of the segment that a user had in the previous month, by user id.

    Returns
    -------
    DataFrame
        Columns ``user_id``, ``x``, ``y``, ``segment``, ``segment_name``, and ``before``, the name
        of the segment in the previous month, missing for users that had none.
    Projection
    """
    with one_thread():
        scaled = model[:-1].transform(table[features])
        scaled = scaled - scaled.mean(axis=0)
        _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
        # The sign of an axis is arbitrary; make its largest loading positive.
        axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        loadings = np.zeros((2, len(features)))
        loadings[: len(axes)] = axes[:2]
        places = np.round(scaled @ loadings.T, 3)
    total = float((singular**2).sum()) or 1.0
    users = pd.DataFrame(
        {
            "user_id": table["user_id"],
            "x": places[:, 0].astype("float32"),
            "y": places[:, 1].astype("float32"),
            "segment": table["segment"],
            "segment_name": table["segment_name"],
            "before": table["user_id"].map(previous).astype(object),
        }
    )
    projection = Projection(
        explained=[float(value**2 / total) for value in [*singular, 0.0][:2]],
        loadings={
            name: [float(value) for value in loadings[:, number]]
            for number, name in enumerate(features)
        },
    )
    return users, projection


def current_names(previous: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    """Names in the current month of the segments of the previous month.

    Segments of two months are the same if they are paired in the matching that maximizes the users
    they share (Kuhn, Nav Res Logist Q 2:83, 1955), and share more than half of the users of the
    previous segment that are in both months. A name says in what a segment differs most from the
    others, so that it may change while the users of the segment stay together.

    Parameters
    ----------
    previous, current : mapping
        Name of each user's segment, by user id.

    Returns
    -------
    dict
        Current name, by name in the previous month. A segment without a match keeps its name; if
        another segment has that name now, ``(then)`` is appended.
    """
    from scipy.optimize import linear_sum_assignment

    names = pd.DataFrame({"previous": pd.Series(previous), "current": pd.Series(current)}).dropna()
    shared = pd.crosstab(names["previous"], names["current"])
    users = shared.to_numpy()
    matched = {
        str(shared.index[row]): str(shared.columns[column])
        for row, column in zip(*linear_sum_assignment(users, maximize=True), strict=True)
        if 2 * users[row, column] > users[row].sum()
    }
    taken = set(current.values())
    unmatched = {
        name: f"{name} (then)" if name in taken else name for name in set(previous.values())
    }
    return unmatched | matched


def movement(users: pd.DataFrame) -> pd.DataFrame:
    """Number of users by segment of the previous month and segment of this one.

    Parameters
    ----------
    users : DataFrame
        As returned by `user_map`.

    Returns
    -------
    DataFrame
        Columns ``before`` and ``segment``, both names, and ``users``. Users without a segment in
        the previous month are not counted.
    """
    named = users.dropna(subset=["before", "segment_name"])
    moved = named.groupby(["before", "segment_name"]).size().rename("users").reset_index()
    return moved.rename(columns={"segment_name": "segment"})


def user_days(days: pd.DataFrame) -> pd.DataFrame:
    """One row a user and day, ordered by user and date: numbers, the person, and their history.

    The optional numbers that `days` have come last, then start and end of sleep in minutes after
    the beginning of the day, since a reader of releases takes no timestamps.
    Means of the history are in single precision, which is finer than the values they average.
    """
    optional = [name for name in (*OPTIONAL_MEASUREMENTS, *SLEEP_SPAN) if name in days]
    table = days[
        ["user_id", "date", "worn", "activity_type", *NUMBERS, *TRAITS, *HISTORY, *optional]
    ].sort_values(["user_id", "date"], kind="stable", ignore_index=True)
    for name in SLEEP_SPAN:
        if name in days:
            table[name] = clock_minutes(table["date"], table[name]).astype("float32")
    return table.astype(dict.fromkeys(HISTORY, "float32"))


def quality(days: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Completeness and distribution of each number.

    Parameters
    ----------
    days : DataFrame
    ranges : mapping
        Smallest and largest allowed value, by number.

    Returns
    -------
    DataFrame
        One row a number that `days` have. Counts of records: ``known``, ``out_of_range`` (nulled
        by the ETL), ``not_worn`` and otherwise ``missing``, which add up to all records.
        ``allowed_low`` and ``allowed_high``. Of the known values ``minimum``, ``q1``, ``median``,
        ``q3`` and ``maximum``; and ``outliers``, the count of those further than three
        interquartile ranges outside the quartiles, which are kept.
    """
    flags = days["quality_flags"].explode()
    rows = []
    for name, (low, high) in ranges.items():
        if name not in days:
            continue
        known = days[name].dropna().to_numpy(dtype=float)
        flagged = flags.index[flags == f"{name}_out_of_range"]
        nulled = len(flagged)
        not_worn = int((days[name].isna() & ~days["worn"]).drop(flagged).sum())
        quartiles = (
            np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else np.full(5, np.nan)
        )
        minimum, q1, median, q3, maximum = map(float, quartiles)
        fence = FAR_OUT * (q3 - q1)
        rows.append(
            {
                "number": name,
                "known": len(known),
                "out_of_range": nulled,
                "not_worn": not_worn,
                "missing": len(days) - len(known) - nulled - not_worn,
                "allowed_low": low,
                "allowed_high": high,
                "minimum": minimum,
                "q1": q1,
                "median": median,
                "q3": q3,
                "maximum": maximum,
                "outliers": int(((known < q1 - fence) | (known > q3 + fence)).sum()),
            }
        )
    return pd.DataFrame(rows)


def summary(totals: Totals) -> MonthSummary:
    """Totals and means of the month."""
    sums = totals.by_date.sum()

    def mean(number: str) -> float | None:
        known = int(sums[f"{number}_known"])
        return float(sums[f"{number}_sum"]) / known if known else None

    return MonthSummary(
        records=int(sums["records"]),
        users=totals.users,
        days=len(totals.by_date),
        worn_records=int(sums["worn"]),
        total_steps=int(sums["steps_sum"]),
        total_kcal=float(sums["calories_burned_sum"]),
        mean_steps=mean("steps"),
        mean_kcal=mean("calories_burned"),
        mean_heart_rate=mean("heart_rate_avg"),
        mean_sleep_hours=mean("sleep_hours"),
        activities={str(name): int(count) for name, count in totals.by_activity["records"].items()},
    )
