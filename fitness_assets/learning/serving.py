"""The small tables and sums that a release carries for the dashboard."""

from typing import Any

import pandas as pd

#: Columns of `daily_activity` that these read.
COLUMNS = [
    "user_id",
    "date",
    "worn",
    "steps",
    "calories_burned",
    "heart_rate_avg",
    "sleep_hours",
    "activity_type",
]


def by_day(days: pd.DataFrame) -> pd.DataFrame:
    """One row a date: records, worn records, and means over the users who have the reading."""
    table = days.groupby("date", sort=True).agg(
        records=("user_id", "size"),
        worn=("worn", "sum"),
        steps=("steps", "mean"),
        calories_burned=("calories_burned", "mean"),
        heart_rate_avg=("heart_rate_avg", "mean"),
        sleep_hours=("sleep_hours", "mean"),
    )
    return table.reset_index()


def summary(days: pd.DataFrame) -> dict[str, Any]:
    """The month in a few figures; a mean is null where no one has the reading."""

    def mean(column: str) -> float | None:
        value = days[column].mean()
        return None if pd.isna(value) else float(value)

    return {
        "records": len(days),
        "users": int(days["user_id"].nunique()),
        "days": int(days["date"].nunique()),
        "worn_records": int(days["worn"].sum()),
        "total_steps": int(days["steps"].sum()),
        "total_kcal": float(days["calories_burned"].sum()),
        "mean_steps": mean("steps"),
        "mean_kcal": mean("calories_burned"),
        "mean_heart_rate": mean("heart_rate_avg"),
        "mean_sleep_hours": mean("sleep_hours"),
        "activities": {
            str(name): int(count)
            for name, count in days["activity_type"].value_counts().sort_index().items()
        },
    }
