"""The tables about everyone of a release that does not publish rows of people.

They have the columns of those of `fitness_assets.release.tables`, and are protected by the methods
of `fitness_assets.models.disclosure`. Means are published in one table only, by date: days are
disjoint, so no combination of their sums concerns fewer people than one of them. The means by day
of the week and of the month are calculated from that table. Other tables hold quantiles, which do
not add up.
"""

from collections.abc import Mapping
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd

from fitness_assets.models import disclosure
from fitness_assets.record.raw import MEASUREMENTS
from fitness_assets.release import tables
from fitness_assets.release.bundle import MonthSummary
from fitness_assets.release.totals import Totals, means

# Bins of `pairs` on each axis, and of a histogram.
_PAIR_BINS, _BINS = 12, 30
_SPREADS = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
_FIVE = {"minimum": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "maximum": 1.0}
_TREND_BINS = 20


def data_tables(
    days: pd.DataFrame,
    totals: Totals,
    ranges: Mapping[str, tuple[float, float]],
    people: int,
) -> dict[str, pd.DataFrame]:
    """The tables of a month's days by name.

    Parameters
    ----------
    days : DataFrame
        `tables.COLUMNS`, of all users or of a sample of them.
    totals : Totals
        Of all users.
    ranges : mapping
        Smallest and largest allowed value, by number.
    people : int
        Smallest number of people in a cell.
    """
    numbers = {name: days[name].astype(float) for name in MEASUREMENTS}
    # Whole numbers instead of ids, which are faster to group by.
    known = days.assign(user_id=pd.factorize(days["user_id"])[0], **numbers)
    by_date = by_day(totals, people)
    is_few = known["user_id"].nunique() < people
    return {
        "days": by_date,
        "weekdays": by_weekday(by_date),
        **(_of_no_days() if is_few else _by_cell(known, totals, people)),
        "quality": quality(known, ranges, people),
    }


def _by_cell(known: pd.DataFrame, totals: Totals, people: int) -> dict[str, pd.DataFrame]:
    """The tables that show cells of enough people, and nothing of other days."""
    return {
        "activities": by_activity(known, totals, people),
        "spreads": spreads(known, people),
        "histograms": histograms(known, people),
        "correlations": correlations(known, people),
        "trends": trends(known, people),
        "pairs": pairs(known, people),
    }


@cache
def _of_no_days() -> dict[str, pd.DataFrame]:
    """The same tables of a month without days, and so of every month of too few people."""
    types = {"user_id": int, "activity_type": object, "worn": bool}
    columns = types | dict.fromkeys(MEASUREMENTS, float)
    days = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return _by_cell(days, Totals.of(days.assign(date=days["user_id"])), 1)


def by_day(totals: Totals, people: int) -> pd.DataFrame:
    """One row a date with enough people: see `tables.by_day`.

    `worn` is missing where few people wore the device or few did not, and a mean is missing where
    few have the number.
    """
    sums, mean = totals.by_date, means(totals.by_date)
    # A user has one record a day.
    users, worn = sums["users"], sums["worn"]
    table = pd.DataFrame({"records": _rounded(users, people)})
    split = _large(worn, people) & _large(users - worn, people)
    table["worn"] = _rounded(worn, people).where(split)
    for name in MEASUREMENTS:
        enough = sums[f"{name}_known"] >= people
        table[name] = disclosure.significant(mean[name].where(enough))
    return table[users >= people].reset_index()


def by_weekday(by_date: pd.DataFrame) -> pd.DataFrame:
    """One row a ``day_of_week``, calculated from `by_day` only."""
    weekday = pd.to_datetime(by_date["date"]).dt.isocalendar().day.astype("int64")
    rows = []
    for day, dates in by_date.groupby(weekday.to_numpy(), sort=True):
        means = {name: _mean(dates[name], dates["records"]) for name in MEASUREMENTS}
        counts = {name: dates[name].sum(min_count=len(dates)) for name in ("records", "worn")}
        rows.append({"day_of_week": day, **counts, **means})
    columns = ["day_of_week", "records", "worn", *MEASUREMENTS]
    return pd.DataFrame(rows, columns=columns)


def by_activity(days: pd.DataFrame, totals: Totals, people: int) -> pd.DataFrame:
    """One row an ``activity_type`` of enough people: days, users, and medians of the numbers."""
    users, records = totals.by_activity["users"], totals.by_activity["records"]
    groups = {name: days[days["activity_type"] == name] for name in users.index}
    hidden = disclosure.suppressed(users.to_numpy(), people)
    rows = [
        {
            "activity_type": name,
            "days": disclosure.rounded(records[name], people),
            "users": disclosure.rounded(users[name], people),
            **dict(zip(MEASUREMENTS, _quantiles(rows, [0.5], people)[0], strict=True)),
        }
        for (name, rows), hides in zip(groups.items(), hidden, strict=True)
        if not hides
    ]
    table = pd.DataFrame(rows, columns=["activity_type", "days", "users", *MEASUREMENTS])
    return table.sort_values("days", ascending=False, kind="stable", ignore_index=True)


def spreads(days: pd.DataFrame, people: int) -> pd.DataFrame:
    """Quantiles of each number by activity: see `tables.spreads`."""
    rows = []
    for activity, own in days[days["activity_type"].notna()].groupby("activity_type", sort=True):
        found = _quantiles(own, [*_SPREADS.values()], people)
        for number, marks in zip(MEASUREMENTS, found.T, strict=True):
            if not np.isnan(marks).any():
                values = dict(zip(_SPREADS, marks, strict=True))
                rows.append({"activity_type": activity, "number": number, **values})
    return pd.DataFrame(rows, columns=["activity_type", "number", *_SPREADS])


def histograms(days: pd.DataFrame, people: int) -> pd.DataFrame:
    """Histogram of each number: see `tables.histograms`. Suppressed bins are left out.

    The outermost bins begin where at least `people` people have values beyond them.
    """
    parts = []
    for number in MEASUREMENTS:
        own = days.loc[days[number].notna(), ["user_id", number]]
        edges = _edges(own[number], own["user_id"], _BINS, people)
        if edges is None:
            continue
        place = _places(own[number], edges)
        size = len(edges) - 1
        users = own["user_id"].groupby(place).nunique().reindex(range(size), fill_value=0)
        count = np.bincount(place, minlength=size)
        hidden = disclosure.suppressed(users.to_numpy(), people)
        table = pd.DataFrame(
            {
                "number": number,
                "low": edges[:-1],
                "high": edges[1:],
                "days": [disclosure.rounded(days, people) for days in count],
            }
        )
        parts.append(table[~hidden & (table["days"] > 0)])
    empty = pd.DataFrame({"number": [], "low": [], "high": [], "days": []})
    return pd.concat(parts, ignore_index=True) if parts else empty


def correlations(days: pd.DataFrame, people: int) -> pd.DataFrame:
    """Pearson correlation of each pair of numbers that enough people have: two decimals."""
    table = tables.correlations(days)
    known = {name: days[name].notna() for name in MEASUREMENTS}
    enough = np.array(
        [
            days["user_id"][known[x] & known[y]].nunique() >= people
            for x, y in zip(table["x"], table["y"], strict=True)
        ],
        dtype=bool,
    )
    return table.assign(r=table["r"].where(enough).round(2))


def trends(days: pd.DataFrame, people: int) -> pd.DataFrame:
    """Median of each number within quantile bins of each other: see `tables.trends`."""
    rows = []
    for x in MEASUREMENTS:
        known = days[days[x].notna()]
        low, high = disclosure.bounds(known[x], known["user_id"], people)
        if not low < high:
            continue
        bins = pd.qcut(known[x], _TREND_BINS, labels=False, duplicates="drop")
        for _, own in known.groupby(bins):
            medians = dict(zip(MEASUREMENTS, _quantiles(own, [0.5], people)[0], strict=True))
            counts = own[list(MEASUREMENTS)].count()
            rows += [
                {
                    "x": x,
                    "y": y,
                    "at": medians[x],
                    "median": median,
                    "days": disclosure.rounded(counts[y], people),
                }
                for y, median in medians.items()
                if y != x and not np.isnan(median) and not np.isnan(medians[x])
            ]
    return pd.DataFrame(rows, columns=["x", "y", "at", "median", "days"])


def pairs(days: pd.DataFrame, people: int) -> pd.DataFrame:
    """Two-dimensional histogram of each pair of numbers over worn days, for `tables.sample`.

    Returns
    -------
    DataFrame
        Columns ``x`` and ``y``, names of numbers; ``x_low``, ``x_high``, ``y_low`` and ``y_high``
        of the cell; and ``days``. Suppressed cells are left out.
    """
    worn = days[days["worn"]]
    edges = {name: _edges(worn[name], worn["user_id"], _PAIR_BINS, people) for name in MEASUREMENTS}
    parts = []
    for x, y in combinations([name for name in MEASUREMENTS if edges[name] is not None], 2):
        own = worn[worn[x].notna() & worn[y].notna()]
        ex, ey = np.asarray(edges[x]), np.asarray(edges[y])
        shape = (len(ex) - 1, len(ey) - 1)
        cell = _places(own[x], ex) * shape[1] + _places(own[y], ey)
        size = shape[0] * shape[1]
        users = own["user_id"].groupby(cell).nunique().reindex(range(size), fill_value=0)
        # No table has the totals of the rows and columns of this grid.
        hidden = disclosure.suppressed(users.to_numpy(), people)
        count = np.bincount(cell, minlength=size)
        shown = np.flatnonzero(~hidden & (count > 0))
        row, column = np.divmod(shown, shape[1])
        parts.append(
            pd.DataFrame(
                {
                    "x": x,
                    "y": y,
                    "x_low": ex[row],
                    "x_high": ex[row + 1],
                    "y_low": ey[column],
                    "y_high": ey[column + 1],
                    "days": [disclosure.rounded(days, people) for days in count[shown]],
                }
            )
        )
    columns = ["x", "y", "x_low", "x_high", "y_low", "y_high", "days"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def movement(users: pd.DataFrame, people: int) -> pd.DataFrame:
    """Number of users by segment of the previous month and of this one: see `tables.movement`."""
    counts = tables.movement(users)
    if counts.empty:
        return counts
    before, segment = (pd.factorize(counts[name])[0] for name in ("before", "segment"))
    grid = np.zeros((before.max() + 1, segment.max() + 1), dtype=int)
    grid[before, segment] = counts["users"]
    shown = ~disclosure.suppressed(grid, people)[before, segment]
    counts["users"] = _rounded(counts["users"], people)
    return counts[shown].reset_index(drop=True)


def quality(
    days: pd.DataFrame, ranges: Mapping[str, tuple[float, float]], people: int
) -> pd.DataFrame:
    """Completeness and distribution of each number: see `tables.quality`.

    Counts of too few people are missing, and so is the smallest other count with them.
    """
    table = tables.quality(days, ranges)
    flags = days["quality_flags"].explode()
    values = days[[name for name in ranges if name in days]].astype(float)
    marks = disclosure.quantiles(values, days["user_id"], [*_FIVE.values()], people)
    worn, ids = days["worn"].to_numpy(dtype=bool), days["user_id"].to_numpy()
    rows = []
    for row in table.to_dict("records"):
        name = str(row["number"])
        known = days[name].notna().to_numpy()
        flagged = days.index.isin(flags.index[flags == f"{name}_out_of_range"])
        rest = ~known & ~flagged
        parts = {
            "known": known,
            "out_of_range": flagged,
            "not_worn": rest & ~worn,
            "missing": rest & worn,
        }
        users = [len(np.unique(ids[part])) for part in parts.values()]
        hidden = disclosure.suppressed(users, people)
        for part, hides in zip(parts, hidden, strict=True):
            row[part] = np.nan if hides else disclosure.rounded(row[part], people)
        row |= dict(zip(_FIVE, marks[:, values.columns.get_loc(name)], strict=True))
        row["outliers"] = _outliers(days, name, people)
        rows.append(row)
    return pd.DataFrame(rows, columns=table.columns)


def summary(users: int, published: Mapping[str, pd.DataFrame], people: int) -> MonthSummary:
    """Totals and means of the month: see `tables.summary`.

    Parameters
    ----------
    users : int
    published : mapping
        As returned by `data_tables`: totals and means are calculated from it only.
    people : int
    """
    by_date, activities = published["days"], published["activities"]
    means = {name: _mean(by_date[name], by_date["records"]) for name in MEASUREMENTS}
    known = {name: None if np.isnan(mean) else mean for name, mean in means.items()}
    records = int(by_date["records"].sum())
    return MonthSummary(
        records=records,
        users=disclosure.rounded(users, people),
        days=len(by_date),
        # Where it is missing, all or none are counted as worn, whichever is nearer.
        worn_records=int(by_date["worn"].fillna(by_date["records"]).sum()),
        total_steps=int(np.nansum(by_date["steps"] * by_date["records"])),
        total_kcal=float(np.nansum(by_date["calories_burned"] * by_date["records"])),
        mean_steps=known["steps"],
        mean_kcal=known["calories_burned"],
        mean_heart_rate=known["heart_rate_avg"],
        mean_sleep_hours=known["sleep_hours"],
        activities={
            str(name): int(days)
            for name, days in activities.set_index("activity_type")["days"].items()
        },
    )


def _rounded(counts: pd.Series, people: int) -> pd.Series:
    return counts.map(lambda count: disclosure.rounded(count, people))


def _large(counts: pd.Series, people: int) -> pd.Series:
    """Whether each count is 0 or of enough people."""
    return (counts == 0) | (counts >= people)


def _quantiles(rows: pd.DataFrame, shares: list[float], people: int) -> np.ndarray:
    return disclosure.quantiles(rows[list(MEASUREMENTS)], rows["user_id"], shares, people)


def _mean(values: pd.Series, weights: pd.Series) -> float:
    known = values.notna()
    if not known.any():
        return float("nan")
    return float(disclosure.significant(np.average(values[known], weights=weights[known])))


def _edges(values: pd.Series, users: pd.Series, bins: int, people: int) -> np.ndarray | None:
    """Edges of about `bins` bins of equal, round width; None with too few people."""
    low, high = disclosure.bounds(values, users, people)
    if not low <= high:
        return None
    # Round edges, which are not values of people.
    width = max((high - low) / bins, 0.1)
    magnitude = 10.0 ** np.floor(np.log10(width))
    step = next(factor for factor in (1, 2, 5, 10) if factor * magnitude >= width) * magnitude
    # Rounded, so that a value at an edge is not below it.
    first, last = np.add(np.floor(np.round([low / step, high / step], 6)), (0, 1))
    edges: np.ndarray = np.round(np.arange(first, last + 1) * step, 6)
    return edges


def _places(values: pd.Series, edges: np.ndarray) -> np.ndarray:
    """The bin of each value; those beyond the outermost edges are in the outermost bins."""
    found = np.searchsorted(edges, values.to_numpy(), side="right") - 1
    places: np.ndarray = np.clip(found, 0, len(edges) - 2)
    return places


def _outliers(days: pd.DataFrame, name: str, people: int) -> float:
    """Number of outliers, NaN if they are of few people."""
    known = days[name].dropna()
    if known.empty:
        return 0.0
    q1, q3 = known.quantile([0.25, 0.75])
    fence = tables.FAR_OUT * (q3 - q1)
    outside = known[(known < q1 - fence) | (known > q3 + fence)]
    users = days.loc[outside.index, "user_id"].nunique()
    return float("nan") if 0 < users < people else disclosure.rounded(len(outside), people)
