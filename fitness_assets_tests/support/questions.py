"""Homes whose lake has synthetic days, for tests of reports and answers."""

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fitness_assets.history.schema import FINDINGS, HistoryReport
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.lives import as_days, life, publish_days

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


def settings_of(home: Path) -> Settings:
    """The settings of the home of `build_home`."""
    return Settings.from_env({"FITNESS_HOME": str(home), "FITNESS_SOURCE": "exports"})


def build_home(home: Path, *others: str) -> Settings:
    """A home with the days and findings of `USER`, and the days of `others`."""
    settings = settings_of(home)
    workspace = Workspace.of(settings)
    lives = {USER: days_of()} | {name: life(FIRST, LAST, 7) for name in others}
    publish_days(workspace, as_days(lives), partial_until=LAST)
    rows = pa.Table.from_pylist([{"user_id": USER, **row} for row in findings()], schema=FINDINGS)
    report = HistoryReport(users=1, months=14, summaries=0)
    workspace.history.save(MONTH, None, report, {"findings": rows})
    return settings
