"""The small tables and sums that a release carries for the dashboard.

Only `people` and `user_days` know of users, by the ids that the lake has.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from fitness_assets.release.bundle import MonthSummary

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: The numbers of a day that are described.
NUMBERS = (
    "steps",
    "distance_km",
    "calories_burned",
    "heart_rate_avg",
    "resting_heart_rate",
    "sleep_hours",
    "active_minutes",
    "sedentary_minutes",
)
_PERSON = ("age", "sex", "height_cm", "weight_kg")
_USUAL = (
    "steps_mean_28d",
    "calories_burned_mean_7d",
    "calories_burned_mean_28d",
    "resting_heart_rate_mean_28d",
)
#: Columns of `daily_activity` that these read.
COLUMNS = [
    *("user_id", "date", "day_of_week", "worn", "activity_type", "quality_flags"),
    *NUMBERS,
    *_PERSON,
    *_USUAL,
]
#: Days in the sample for scatter plots.
SAMPLE = 1_500

_BINS = 40
# How finely devices tell a number.
_STEPS = (1.0, 0.1, 0.01)
# What lies beyond these shares of the days is counted in the outermost bins, so that one slip of a
# device does not make all others a single bar.
_TAILS = (0.001, 0.999)
_TREND_BINS = 20
_WHISKERS = (0.05, 0.25, 0.5, 0.75, 0.95)
# Tukey (Exploratory Data Analysis, 1977): beyond this many interquartile ranges a value is far out.
_FAR_OUT = 3


def by_day(days: pd.DataFrame) -> pd.DataFrame:
    """One row a date: records, worn records, and means over the users who have the reading."""
    table = days.groupby("date", sort=True).agg(
        records=("user_id", "size"),
        worn=("worn", "sum"),
        **{name: (name, "mean") for name in NUMBERS},
    )
    return table.reset_index()


def by_weekday(days: pd.DataFrame) -> pd.DataFrame:
    """One row a day_of_week, 1 Monday to 7 Sunday: records, worn records, and means of readings."""
    table = days.groupby("day_of_week", sort=True).agg(
        records=("user_id", "size"),
        worn=("worn", "sum"),
        **{name: (name, "mean") for name in NUMBERS},
    )
    return table.reset_index()


def by_activity(days: pd.DataFrame) -> pd.DataFrame:
    """One row an activity_type, commonest first: days, users, and means of readings."""
    table = days.groupby("activity_type", sort=True).agg(
        days=("user_id", "size"),
        users=("user_id", "nunique"),
        **{name: (name, "mean") for name in NUMBERS},
    )
    return table.sort_values("days", ascending=False, kind="stable").reset_index()


def spreads(days: pd.DataFrame) -> pd.DataFrame:
    """How each number is spread within each activity_type.

    Returns
    -------
    DataFrame
        Columns ``activity_type``, ``number``, and its quantiles ``p5``, ``p25``, ``p50``, ``p75``
        and ``p95``; no row where there are no readings.
    """
    labelled = days[["activity_type", *NUMBERS]].astype(dict.fromkeys(NUMBERS, float))
    long = labelled.melt("activity_type", var_name="number").dropna()
    by = long.groupby(["activity_type", "number"])["value"]
    parts = {f"p{round(100 * share)}": by.quantile(share) for share in _WHISKERS}
    return pd.DataFrame(parts).reset_index()


def histograms(days: pd.DataFrame) -> pd.DataFrame:
    """Days by some forty equal bins of each number.

    Returns
    -------
    DataFrame
        Columns ``number``, ``low`` and ``high`` of the bin, and ``days``. The outermost bins hold
        what lies beyond, which is a day in a thousand.
    """
    parts = []
    for name in NUMBERS:
        known = days[name].dropna().to_numpy(dtype=float)
        if not len(known):
            continue
        low, high = np.quantile(known, _TAILS)
        # A bin is as wide as so many whole steps of the device, or some would hold a step more.
        step = next((s for s in _STEPS if np.allclose(known, np.round(known / s) * s)), _STEPS[-1])
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
    """Pearson's r of each pair of numbers, over the days that have both.

    Returns
    -------
    DataFrame
        Columns ``one``, ``other`` and ``r``, both halves and no diagonal; missing where a number
        does not vary.
    """
    table = days[list(NUMBERS)].astype(float).corr().rename_axis("one")
    pairs = table.melt(var_name="other", value_name="r", ignore_index=False).reset_index()
    return pairs[pairs["one"] != pairs["other"]].reset_index(drop=True)


def trends(days: pd.DataFrame) -> pd.DataFrame:
    """The median of each number in twentieths of each other number: a trend of no assumed shape.

    Returns
    -------
    DataFrame
        Columns ``x`` and ``y``, names of numbers; ``at``, the median of x in that part; ``median``
        of y there; and ``days`` that have both.
    """
    numbers = days[list(NUMBERS)].astype(float)
    parts = []
    for x in NUMBERS:
        known = numbers[numbers[x].notna()]
        if known[x].nunique() < 2:  # noqa: PLR2004 - a trend needs two ends
            continue
        by = known.groupby(pd.qcut(known[x], _TREND_BINS, duplicates="drop"), observed=True)
        medians, counts = by.median(), by.count()
        for y in NUMBERS:
            if y != x:
                part = {"at": medians[x], "median": medians[y], "days": counts[y]}
                parts.append(pd.DataFrame(part).dropna().assign(x=x, y=y))
    columns = ["x", "y", "at", "median", "days"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def sample(days: pd.DataFrame) -> pd.DataFrame:
    """Up to `SAMPLE` worn days, the same ones whatever their order, without whose they are."""
    worn = days[days["worn"]]
    drawn = pd.util.hash_pandas_object(worn[["user_id", "date"]].astype(str), index=False)
    chosen = worn.iloc[np.argsort(drawn.to_numpy(), kind="stable")[:SAMPLE]]
    return chosen[["activity_type", *NUMBERS]].reset_index(drop=True)


def people(
    model: "Pipeline",
    table: pd.DataFrame,
    features: list[str],
    before: Mapping[str, str],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Where each user lies in the space of the segments, seen from its two widest sides.

    Parameters
    ----------
    model : Pipeline
        The segment model.
    table : DataFrame
        One row a user: ``user_id``, ``segment``, and the profile.
    features : list of str
        What the model goes by.
    before : mapping
        The segment that a user was in the month before, by user_id, as it is called now.

    Returns
    -------
    DataFrame
        Columns ``user_id``, ``x``, ``y``, ``segment``, and ``before``, missing for who had none.
    dict
        ``explained``, the shares of the variance that x and y show, and ``loadings``: by feature,
        how x and y move with it.
    """
    # One thread: the order of a parallel sum would show in the last digits.
    with threadpool_limits(1):
        scaled = model[:-1].transform(table[features])
        scaled = scaled - scaled.mean(axis=0)
        _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
        # The sign of an axis is arbitrary; its largest loading is made positive.
        axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        shown = np.zeros((2, len(features)))
        shown[: len(axes)] = axes[:2]
        places = np.round(scaled @ shown.T, 3)
    total = float((singular**2).sum()) or 1.0
    placed = pd.DataFrame(
        {
            "user_id": table["user_id"],
            "x": places[:, 0].astype("float32"),
            "y": places[:, 1].astype("float32"),
            "segment": table["segment"],
            "before": table["user_id"].map(before).astype(object),
        }
    )
    told = {
        "explained": [float(value**2 / total) for value in [*singular, 0.0][:2]],
        "loadings": {
            name: [float(value) for value in shown[:, number]]
            for number, name in enumerate(features)
        },
    }
    return placed, told


def called_now(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """What each segment of the month before is called now.

    Segments of two months are the same if they are paired where pairs share the most users
    (Kuhn, Nav Res Logist Q 2:83, 1955), and share more than half of those of the earlier one that
    are still there. A name says what sets a segment apart most, which may change while its users
    stay together.

    Parameters
    ----------
    before, now : mapping
        Name of each user's segment, by user_id.

    Returns
    -------
    dict
        By name of the month before. A segment that is no more keeps its name, or, where another
        has taken that, the name and "(then)".
    """
    from scipy.optimize import linear_sum_assignment

    both = pd.DataFrame({"before": pd.Series(before), "now": pd.Series(now)}).dropna()
    shared = pd.crosstab(both["before"], both["now"])
    users = shared.to_numpy()
    same = {
        str(shared.index[row]): str(shared.columns[column])
        for row, column in zip(*linear_sum_assignment(users, maximize=True), strict=True)
        if 2 * users[row, column] > users[row].sum()
    }
    taken = set(now.values())
    gone = {name: f"{name} (then)" if name in taken else name for name in set(before.values())}
    return gone | same


def movement(placed: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    """How many users went from which segment of the month before to which of this one.

    Parameters
    ----------
    placed : DataFrame
        As `people` gives it.
    names : mapping
        Names of the segments of this month.

    Returns
    -------
    DataFrame
        Columns ``before``, ``segment``, both names, and ``users``. Who was not there is in none.
    """
    both = placed[placed["before"].notna()]
    moved = both.assign(segment=both["segment"].map(names)).groupby(["before", "segment"])
    return moved.size().rename("users").reset_index()


def user_days(days: pd.DataFrame) -> pd.DataFrame:
    """One row a user and day, by user and date: readings, the person, and what is usual for them.

    Means are in single precision, which is finer than what they are made of.
    """
    table = days[
        ["user_id", "date", "worn", "activity_type", *NUMBERS, *_PERSON, *_USUAL]
    ].sort_values(["user_id", "date"], kind="stable", ignore_index=True)
    return table.astype(dict.fromkeys(_USUAL, "float32"))


def quality(days: pd.DataFrame, ranges: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """What is known of each number, why the rest is not, and how far the known reaches.

    Parameters
    ----------
    days : DataFrame
    ranges : mapping
        Least and greatest value allowed, by number.

    Returns
    -------
    DataFrame
        One row a number. Records are ``known``, ``out_of_range`` (nulled by the ETL), ``not_worn``
        or otherwise ``missing``, which add up. ``allowed_low`` and ``allowed_high``; of the known
        ``least``, ``q1``, ``median``, ``q3`` and ``greatest``; and ``outliers``, further than
        three interquartile ranges outside the quartiles, which are kept.
    """
    flags = days["quality_flags"].explode()
    rows = []
    for name, (low, high) in ranges.items():
        known = days[name].dropna().to_numpy(dtype=float)
        flagged = flags.index[flags == f"{name}_out_of_range"]
        nulled = len(flagged)
        not_worn = int((days[name].isna() & ~days["worn"]).drop(flagged).sum())
        marks = np.quantile(known, [0, 0.25, 0.5, 0.75, 1]) if len(known) else np.full(5, np.nan)
        least, q1, median, q3, greatest = map(float, marks)
        fence = _FAR_OUT * (q3 - q1)
        rows.append(
            {
                "number": name,
                "known": len(known),
                "out_of_range": nulled,
                "not_worn": not_worn,
                "missing": len(days) - len(known) - nulled - not_worn,
                "allowed_low": low,
                "allowed_high": high,
                "least": least,
                "q1": q1,
                "median": median,
                "q3": q3,
                "greatest": greatest,
                "outliers": int(((known < q1 - fence) | (known > q3 + fence)).sum()),
            }
        )
    return pd.DataFrame(rows)


def summary(days: pd.DataFrame) -> MonthSummary:
    """Totals and means of the month."""

    def mean(column: str) -> float | None:
        value = days[column].mean()
        return None if pd.isna(value) else float(value)

    return MonthSummary(
        records=len(days),
        users=int(days["user_id"].nunique()),
        days=int(days["date"].nunique()),
        worn_records=int(days["worn"].sum()),
        total_steps=int(days["steps"].sum()),
        total_kcal=float(days["calories_burned"].sum()),
        mean_steps=mean("steps"),
        mean_kcal=mean("calories_burned"),
        mean_heart_rate=mean("heart_rate_avg"),
        mean_sleep_hours=mean("sleep_hours"),
        activities={
            str(name): int(count)
            for name, count in days["activity_type"].value_counts().sort_index().items()
        },
    )
