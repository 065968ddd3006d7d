"""Homes whose lake has synthetic days, for tests of reports and answers."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fitness_assets.history.schema import FINDINGS, HistoryReport
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support import workout_rows
from fitness_assets_tests.support.lives import as_days, life, publish_days
from fitness_assets_tests.support.workout_rows import publish_workouts

USER = "anna"
#: The days of the home; its last month is partial.
FIRST, LAST = date(2022, 1, 1), date(2023, 3, 12)
#: The month with the findings, and a month that is over.
MONTH = "2023-02"
#: Text of an export that Markdown, HTML and terminals would act upon.
HOSTILE = "<script>alert(1)</script> | [x](http://e.test) *b* \x1b[31m"


def days_of(seed: int = 1) -> pd.DataFrame:
    """The days of `USER`: half an hour less sleep, and a device with a hostile name, in 2023."""
    days = life(FIRST, LAST, seed)
    days.loc["2023":, "sleep_hours"] -= 0.5
    days.loc["2023-02":, "source"] = HOSTILE
    return days


def findings() -> list[dict[str, object]]:
    """Findings of each kind that a report has."""
    return [
        {"kind": "best", "measure": "steps", "period": "day", "start": date(2022, 5, 3)}
        | {"end": date(2022, 5, 3), "value": 16_012.0, "n": 1},
        {"kind": "streak", "start": date(2023, 1, 20), "end": date(2023, 2, 10), "n": 22}
        | {"is_current": False},
        {"kind": "device_era", "device": HOSTILE, "start": date(2023, 2, 1), "n": 28}
        | {"end": date(2023, 2, 28)},
        {"kind": "change_point", "measure": "sleep_hours", "start": date(2023, 2, 1), "n": 120}
        | {"value": -0.5, "before": 7.3, "after": 6.8, "low": -0.7, "high": -0.3, "p": 0.01}
        | {"device": HOSTILE},
        {"kind": "search", "other": "change_points", "n": 8},
        {"kind": "search", "other": "associations", "n": 30},
        {"kind": "association", "measure": "active_minutes", "other": "sleep_hours", "lag": 1}
        | {"value": 0.31, "low": 0.2, "high": 0.41, "slope": 0.01, "p": 0.004, "n": 300},
    ]


def workouts_of(user: str = USER) -> pa.Table:
    """A run every third evening from January, and a workout with a hostile name."""
    start = datetime.fromisoformat("2023-01-01T18:05")
    rows = [
        workout_rows.row(
            user_id=user,
            start=(start + timedelta(day)).replace(tzinfo=UTC),
            local_start=start + timedelta(day),
            minutes=40.0 + day % 7,
            distance_km=6.2,
            calories_burned=455.0,
            heart_rate_avg=148.0,
            heart_rate_max=171.0,
        )
        for day in range(0, (LAST - start.date()).days + 1, 3)
    ]
    morning = datetime.fromisoformat("2023-02-01T07:30")
    named = workout_rows.row(
        user_id=user,
        start=morning.replace(tzinfo=UTC),
        local_start=morning,
        minutes=95.0,
        activity=HOSTILE,
    )
    return workout_rows.table(*rows, named)


def settings_of(home: Path) -> Settings:
    """The settings of the home of `build_home`."""
    return Settings.from_env({"FITNESS_HOME": str(home), "FITNESS_SOURCE": "exports"})


def build_home(home: Path, *others: str) -> Settings:
    """A home with the days, workouts and findings of `USER`, and those of `others` but findings."""
    settings = settings_of(home)
    workspace = Workspace.of(settings)
    lives = {USER: days_of()} | {name: life(FIRST, LAST, 7) for name in others}
    publish_days(workspace, as_days(lives), partial_until=LAST)
    publish_workouts(workspace, pa.concat_tables([workouts_of(each) for each in lives]))
    rows = pa.Table.from_pylist([{"user_id": USER, **row} for row in findings()], schema=FINDINGS)
    report = HistoryReport(users=1, months=14, summaries=0)
    workspace.history.save(MONTH, None, report, {"findings": rows})
    return settings
