"""A home with releases of one person over years, published without running the pipeline."""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from fitness_assets.history.grid import COLUMNS
from fitness_assets.history.schema import FINDINGS as FINDINGS_SCHEMA
from fitness_assets.history.summaries import summarize
from fitness_assets.record.raw import NUMBERS, TRAITS
from fitness_assets.release import tables
from fitness_assets_tests.support.people_bundles import publish_files, publish_month

USER = "p0123456789abcdef0123"


def days_of_life(first: str, last: str, seed: int = 1) -> pd.DataFrame:
    """Days of one person: from 3 May 2022 about 1,900 steps a day more, and a summer rhythm.

    Every fortieth day the device was not worn. Sleep is longest in 2021.
    """
    dates = pd.date_range(first, last)
    draws = np.random.default_rng(seed)
    season = np.sin(2 * np.pi * (dates.dayofyear.to_numpy() - 100) / 365.25)
    steps = 7_500 + 1_200 * season + 1_900 * np.asarray(dates >= pd.Timestamp("2022-05-03"))
    steps = np.round(steps + draws.normal(0, 1_500, len(dates))).clip(500)
    values: dict[str, object] = dict.fromkeys((*NUMBERS, *TRAITS), np.nan)
    values |= {
        "steps": steps,
        "distance_km": np.round(steps * 0.00075, 2),
        "calories_burned": np.round(1_600 + 0.05 * steps + draws.normal(0, 60, len(dates))),
        "heart_rate_avg": np.round(70 + draws.normal(0, 3, len(dates)), 1),
        "resting_heart_rate": np.round(58 - 2 * season + draws.normal(0, 1.5, len(dates)), 1),
        "sleep_hours": np.round(
            7 + 0.4 * np.asarray(dates.year == 2021) + draws.normal(0, 0.7, len(dates)), 1
        ),
        "active_minutes": np.round(steps / 150),
        "weight_kg": np.round(75 - 0.003 * np.arange(len(dates)), 1),
        "sex": "female",
        "age": 41.0,
    }
    days = pd.DataFrame({"user_id": USER, "date": dates.date, **values})
    days["worn"] = np.arange(len(dates)) % 40 != 39
    days.loc[~days["worn"], ["steps", "sleep_hours", "resting_heart_rate"]] = np.nan
    days["activity_type"] = "walking"
    days["day_of_week"] = dates.dayofweek + 1
    days["quality_flags"] = pd.Series([[]] * len(days), dtype=object)
    for name in tables.COLUMNS:
        measured, mean, window = name.partition("_mean_")
        if mean:
            size = f"{window.removesuffix('d')}D"
            by_date = pd.Series(days[measured].to_numpy(dtype=float), dates)
            days[name] = by_date.rolling(size, closed="left").mean().to_numpy()
    return days[[*tables.COLUMNS]]


#: Findings of the whole life that is planted in `days_of_life`.
FINDINGS: list[dict[str, object]] = [
    *(
        {"kind": "best", "measure": measure, "period": period, "value": value, "n": n, **dates}
        for measure, value, year in (("steps", 9_600.0, 2023), ("sleep_hours", 7.4, 2021))
        for period, n, dates in (
            ("day", 1, {"start": date(year, 7, 2), "end": date(year, 7, 2)}),
            ("year", 355, {"start": date(year, 1, 1), "end": date(year, 12, 31)}),
        )
    ),
    {"kind": "streak", "start": date(2022, 1, 1), "end": date(2022, 2, 8), "n": 39},
    {
        "kind": "streak",
        "measure": "steps",
        "goal": 8_000.0,
        "is_current": True,
        "start": date(2023, 5, 1),
        "end": date(2023, 5, 20),
        "n": 20,
    },
    {"kind": "gap", "start": date(2021, 8, 3), "end": date(2021, 8, 14), "n": 12},
    {
        "kind": "device_era",
        "device": "garmin",
        "start": date(2021, 1, 1),
        "end": date(2022, 9, 30),
        "n": 600,
    },
    {"kind": "device_era", "device": "fitbit <b>2</b>", "start": date(2022, 10, 1), "n": 230},
    {
        "kind": "change_point",
        "measure": "steps",
        "start": date(2022, 5, 3),
        "n": 860,
        "value": 1_904.0,
        "before": 7_490.0,
        "after": 9_394.0,
        "low": 1_610.0,
        "high": 2_188.0,
        "p": 0.001,
    },
    {
        "kind": "change_point",
        "measure": "resting_heart_rate",
        "start": date(2022, 10, 2),
        "value": -2.1,
        "before": 58.2,
        "after": 56.1,
        "low": -2.8,
        "high": -1.4,
        "n": 610,
        "p": 0.004,
        "device": "fitbit <b>2</b>",
    },
    {"kind": "search", "other": "change_points", "n": 8},
    {"kind": "search", "other": "associations", "n": 42},
]
ASSOCIATION: dict[str, object] = {
    "kind": "association",
    "measure": "steps",
    "other": "sleep_hours",
    "lag": 1,
    "n": 812,
    "value": 0.24,
    "low": 0.15,
    "high": 0.33,
    "slope": 0.0001,
    "p": 0.01,
}


def findings_of(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """A table of findings of `USER`, with null in the columns that a row lacks."""
    filled = [{"user_id": USER, "is_current": False, **row} for row in rows]
    for row in filled:
        row["end"] = row.get("end", date(2023, 5, 20))
    return pa.Table.from_pylist(filled, FINDINGS_SCHEMA)


def publish_person(
    home: Path,
    days: pd.DataFrame,
    partial_until: date | None = None,
    findings: Iterable[Mapping[str, object]] = FINDINGS,
) -> list[str]:
    """Publish the bundles of each month of `days`; return the months.

    Parameters
    ----------
    home : Path
    days : DataFrame
        As `days_of_life` returns.
    partial_until : date, optional
        The last day so far of the last month.
    findings : iterable of mapping
        The findings of each month.
    """
    by_month = dict(list(days.groupby(pd.to_datetime(days["date"]).dt.strftime("%Y-%m"))))
    *earlier, newest = sorted(by_month)
    records = pa.Table.from_pandas(days[[*COLUMNS]], preserve_index=False)

    def history(month: str) -> dict[str, pa.Table]:
        last = max(by_month[month]["date"])
        return {"summaries": summarize(records, month, last), "findings": table}

    table = findings_of(findings)
    own = by_month[newest].reset_index(drop=True)
    files, info = publish_month(home, own, partial_until, history(newest))
    # Of the earlier months only the rows of the person are read: the other files are the same.
    for month in earlier:
        own_files = {"user_days.parquet": tables.user_days(by_month[month]).to_parquet(index=False)}
        for name, part in history(month).items():
            buffer = pa.BufferOutputStream()
            pq.write_table(part, buffer)
            own_files[f"{name}.parquet"] = buffer.getvalue().to_pybytes()
        publish_files(home, files | own_files, replace(info, month=month, partial_until=None))
    return [*earlier, newest]
