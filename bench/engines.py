"""The monthly ETL in pandas, Polars and DuckDB, written in the usual style of each.

Each engine is a function that returns a function that cleans one month. Slow imports are inside of
these functions, so that no engine pays for those of another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from fitness_assets import months

KEY = ["user_id", "date"]
VALUES = [
    "steps",
    "distance_km",
    "calories_burned",
    "calories_kind",
    "heart_rate_avg",
    "resting_heart_rate",
    "sleep_hours",
    "active_minutes",
    "sedentary_minutes",
    "activity_type",
    "age",
    "sex",
    "height_cm",
    "weight_kg",
    "source",
    "ingested_at",
]
CATEGORIES = ["activity_type", "sex", "calories_kind"]
BASELINES = ["steps", "calories_burned", "resting_heart_rate"]
WINDOWS = [7, 28]
MEANS = [f"{name}_mean_{window}d" for name in BASELINES for window in WINDOWS]

#: A copy of `record.raw.RANGES`, whose import would add a third of a second to each engine. The
#: benchmark checks that both are equal.
RANGES = {
    "steps": (0, 100_000),
    "distance_km": (0, 300),
    "calories_burned": (0, 20_000),
    "heart_rate_avg": (30, 220),
    "resting_heart_rate": (30, 220),
    "sleep_hours": (0, 24),
    "active_minutes": (0, 1440),
    "sedentary_minutes": (0, 1440),
    "age": (0, 120),
    "height_cm": (50, 260),
    "weight_kg": (2, 500),
}


@dataclass(frozen=True)
class Month:
    """The month `key` of the lake in the folder `raw`."""

    raw: Path
    key: str

    @property
    def files(self) -> list[Path]:
        """Files of the month."""
        return self._files(self.key)

    @property
    def earlier(self) -> list[Path]:
        """Files of the month before."""
        return self._files(months.shift(self.key, -1))

    @property
    def first(self) -> date:
        """First day of the month."""
        return months.start(self.key)

    @property
    def history_start(self) -> date:
        """First day that the baselines of the month use."""
        return self.first - timedelta(days=max(WINDOWS))

    def _files(self, key: str) -> list[Path]:
        day = months.start(key)
        return sorted((self.raw / f"year={day:%Y}" / f"month={day:%m}").glob("*.parquet"))


#: Cleans a month into a folder.
Clean = Callable[[Month, Path], None]


def pandas() -> Clean:
    """pandas: Arrow columns, categories for labels, and baselines by running sums."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    def normalize(text: "pd.Series[str]") -> "pd.Series[str]":
        # Categories are normalized once each instead of once per row.
        kinds = text.astype("category")
        labels = kinds.cat.categories.str.lower().str.replace("[^a-z0-9]+", "_", regex=True)
        normalized = labels.str.strip("_").to_series().replace("", pd.NA).array
        return pd.Series(normalized.take(kinds.cat.codes.to_numpy(), allow_fill=True), text.index)

    def clean(month: Month, folder: Path) -> None:
        days = pd.read_parquet(month.files, partitioning=None, dtype_backend="pyarrow")
        if month.earlier:
            recent = [("date", ">=", month.history_start)]
            earlier = pd.read_parquet(
                month.earlier, partitioning=None, dtype_backend="pyarrow", filters=recent
            )
            days = pd.concat([earlier, days], ignore_index=True)

        days["user_id"] = days["user_id"].str.strip()
        for name in CATEGORIES:
            days[name] = normalize(days[name])

        outside = np.empty((len(days), len(RANGES)), bool)
        for number, (name, (low, high)) in enumerate(RANGES.items()):
            inside = days[name].between(low, high)
            outside[:, number] = (~inside).fillna(False).to_numpy(bool)
            days[name] = days[name].where(inside)
        names = pa.array([f"{name}_out_of_range" for name in RANGES])
        offsets = np.concatenate([[0], outside.sum(axis=1).cumsum()]).astype(np.int32)
        flags = pa.ListArray.from_arrays(offsets, names.take(pa.array(outside.nonzero()[1])))
        days["quality_flags"] = pd.Series(flags, dtype=pd.ArrowDtype(flags.type))

        # Only the few days with several records are ranked.
        duplicates = days[days.duplicated(KEY, keep=False)]
        best = (
            duplicates.assign(filled=duplicates[VALUES].notna().sum(axis=1))
            .sort_values(
                [*KEY, "ingested_at", "filled", *VALUES[:-1]],
                ascending=[True, True] + [False] * (len(VALUES) + 1),
            )
            .drop_duplicates(KEY)
        )
        days = days.drop(duplicates.index.difference(best.index))

        # One integer per user and day, with larger gaps between users than any window is long.
        users = days["user_id"].astype("category").cat.codes.to_numpy(np.int64)
        key = users * 10_000_000 + days["date"].astype("int32[pyarrow]").to_numpy(np.int64)
        order = key.argsort(kind="stable")
        days, key, users = days.take(order), key[order], users[order]

        days["day_of_week"] = (days["date"].dt.dayofweek + 1).astype("int32[pyarrow]")
        no_steps = (days["steps"] == 0) & days["calories_burned"].notna()
        days["calories_per_step"] = (days["calories_burned"] / days["steps"]).mask(no_steps, 0.0)
        days["worn"] = days["heart_rate_avg"].notna() | (days["steps"].fillna(0) > 0)
        starts = {window: key.searchsorted(key - window) for window in WINDOWS}
        for name in BASELINES:
            values = days[name].to_numpy(np.float64, na_value=np.nan)
            known = ~np.isnan(values)
            # Sums of the rows before, by user: sums over all users would lose precision.
            by_user = pd.DataFrame({"sum": np.where(known, values, 0), "count": known * 1.0})
            before = (by_user.groupby(users, sort=False).cumsum() - by_user).to_numpy()
            for window, start in starts.items():
                total, count = (before - before[start]).T
                mean = total / np.maximum(count, 1)
                days[f"{name}_mean_{window}d"] = pd.array(
                    pa.array(mean, mask=count == 0), pd.ArrowDtype(pa.float64())
                )

        days = days[days["date"] >= month.first]
        days.to_parquet(folder / "days.parquet", compression="zstd", index=False)

    return clean


def polars() -> Clean:
    """Polars: one lazy query whose result is streamed to the file."""
    import polars as pl

    def normalize(name: str) -> pl.Expr:
        label = pl.col(name).str.to_lowercase().str.replace_all("[^a-z0-9]+", "_")
        return label.str.strip_chars("_").replace("", None)

    inside = {name: pl.col(name).is_between(*limits) for name, limits in RANGES.items()}
    flags = [pl.when(~test).then(pl.lit(f"{name}_out_of_range")) for name, test in inside.items()]
    filled = pl.sum_horizontal(pl.col(name).is_not_null() for name in VALUES)
    steps, calories = pl.col("steps"), pl.col("calories_burned")

    def clean(month: Month, folder: Path) -> None:
        records = pl.scan_parquet(month.files, hive_partitioning=False)
        if month.earlier:
            earlier = pl.scan_parquet(month.earlier, hive_partitioning=False)
            records = pl.concat([earlier.filter(pl.col("date") >= month.history_start), records])
        days = (
            records.with_columns(pl.col("user_id").str.strip_chars(), *map(normalize, CATEGORIES))
            .with_columns(
                *(pl.when(test).then(name).alias(name) for name, test in inside.items()),
                # Many times as fast as concat_list.
                quality_flags=pl.concat_str(
                    flags, separator=" ", ignore_nulls=True
                ).str.extract_all(r"\S+"),
            )
            .sort(
                *KEY,
                "ingested_at",
                filled,
                *VALUES[:-1],
                descending=[False, False] + [True] * (len(VALUES) + 1),
                nulls_last=True,
            )
            .unique(KEY, keep="first", maintain_order=True)
            .with_columns(
                day_of_week=pl.col("date").dt.weekday().cast(pl.Int32),
                calories_per_step=pl.when((steps == 0) & calories.is_not_null())
                .then(0.0)
                .otherwise(calories / steps),
                worn=pl.col("heart_rate_avg").is_not_null() | (steps.fill_null(0) > 0),
            )
        )
        # Rolling preserves the order of rows, so the columns can be concatenated.
        means = [
            days.rolling("date", period=f"{window}d", closed="left", group_by="user_id")
            .agg(pl.col(name).mean().alias(f"{name}_mean_{window}d") for name in BASELINES)
            .drop(KEY)
            for window in WINDOWS
        ]
        days = pl.concat([days, *means], how="horizontal").filter(pl.col("date") >= month.first)
        days = days.select(pl.exclude(MEANS), *MEANS)
        days.sink_parquet(folder / "days.parquet", compression="zstd")

    return clean


def duckdb() -> Clean:
    """DuckDB: one SQL statement."""
    import duckdb

    session = duckdb.connect()
    session.execute(r"""
        CREATE MACRO normalize_label(text) AS nullif(
            trim(regexp_replace(lower(text), '[^a-z0-9]+', '_', 'g'), '_'), ''
        )
    """)
    normalized = ", ".join(f"normalize_label({name}) AS {name}" for name in CATEGORIES)
    tests = {name: f"{name} BETWEEN {low} AND {high}" for name, (low, high) in RANGES.items()}
    kept = ", ".join(f"CASE WHEN {test} THEN {name} END AS {name}" for name, test in tests.items())
    flags = ", ".join(
        f"CASE WHEN NOT ({test}) THEN '{name}_out_of_range' END" for name, test in tests.items()
    )
    filled = " + ".join(f"({name} IS NOT NULL)::INTEGER" for name in VALUES)
    best = ", ".join(f"{name} DESC NULLS LAST" for name in VALUES[:-1])
    means = ", ".join(
        f"avg({name}) OVER days_{window} AS {name}_mean_{window}d"
        for name in BASELINES
        for window in WINDOWS
    )
    windows = ", ".join(
        f"days_{window} AS (PARTITION BY user_id ORDER BY date RANGE BETWEEN "
        f"INTERVAL {window} DAY PRECEDING AND INTERVAL 1 DAY PRECEDING)"
        for window in WINDOWS
    )

    def clean(month: Month, folder: Path) -> None:
        session.execute(f"""
            COPY (
                WITH records AS (
                    FROM read_parquet({[*map(str, month.earlier + month.files)]},
                                      hive_partitioning = false)
                    SELECT * REPLACE (trim(user_id) AS user_id, {normalized})
                    WHERE date >= DATE '{month.history_start}'
                ), checked AS (
                    FROM records
                    SELECT * REPLACE ({kept}),
                        list_filter([{flags}], lambda flag: flag IS NOT NULL) AS quality_flags
                ), days AS (
                    FROM checked
                    QUALIFY row_number() OVER (
                        PARTITION BY user_id, date
                        ORDER BY ingested_at DESC NULLS LAST, {filled} DESC, {best}
                    ) = 1
                )
                FROM days
                SELECT *,
                    isodow(date)::INTEGER AS day_of_week,
                    CASE WHEN steps = 0 AND calories_burned IS NOT NULL THEN 0.0
                         ELSE calories_burned / steps END AS calories_per_step,
                    heart_rate_avg IS NOT NULL OR coalesce(steps, 0) > 0 AS worn,
                    {means}
                WINDOW {windows}
                QUALIFY date >= DATE '{month.first}'
                ORDER BY user_id, date
            ) TO '{folder / "days.parquet"}' (FORMAT parquet, COMPRESSION zstd)
        """)  # noqa: S608 - it contains no input

    return clean
