"""A user's workouts and training load in My days."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from fitness_assets.formatting import NO_DATA
from fitness_assets.history.training import load_sentence, training
from fitness_assets.history.training_load import WINDOWS, trimp
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.tables import WORKOUTS
from fitness_assets.web.access import Access
from fitness_assets_tests.support.opening import open_view, text
from fitness_assets_tests.support.people_bundles import publish_month
from fitness_assets_tests.support.person_home import USER, days_of_life

MONTHS = ("2022-01", "2022-02", "2022-03")
DAYS: Any = days_of_life("2022-01-01", "2022-03-20")


def workouts_of(days: pd.DataFrame, minutes: float = 40) -> pa.Table:
    """A run every second day, and a strength session without a heart rate on the first."""
    dates = list(days["date"])[::2]
    rows = [
        {
            "user_id": USER,
            "date": day,
            "start": "18:05",
            "activity": "running",
            "minutes": minutes,
            "distance_km": 6.2,
            "calories_burned": 455.0,
            "heart_rate_avg": 148.0,
            "heart_rate_max": 171.0,
            "source": "garmin",
        }
        for day in dates
    ]
    strength = {"user_id": USER, "date": dates[0], "start": "07:30", "minutes": 30.0}
    return pa.Table.from_pylist([strength, *rows], WORKOUTS)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three months of one person, whose visitor may see their own rows."""
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user=USER, reason=""))
    return tmp_path


def publish(home: Path, minutes: float | None) -> AppTest:
    for month in MONTHS:
        own = DAYS[[f"{day:%Y-%m}" == month for day in DAYS["date"]]].reset_index(drop=True)
        tables = {} if minutes is None else {"workouts": workouts_of(own, minutes)}
        publish_month(home, own, history=tables)
    patch = pytest.MonkeyPatch()
    try:
        return open_view("my_days", home / "releases", patch)
    finally:
        patch.undo()


def test_the_workouts_of_the_month_and_the_load_are_shown(home: Path) -> None:
    view = publish(home, 40)
    assert not view.exception
    assert "Workouts" in [header.value for header in view.header]
    assert "11 workouts this month, 7 h 10 min in all." in text(view)
    table: Any = next(
        each.value for each in view.dataframe if "start" in each.value and "load" in each.value
    )
    assert table.iloc[0]["start"] == "Sat 19 Mar, 18:05"
    assert table.iloc[0][["duration", "distance_km", "greatest"]].to_list() == [
        "40 min",
        "6.2",
        "171",
    ]
    without_rate = table[table["activity"] == NO_DATA]
    assert without_rate["load"].to_list() == [NO_DATA]
    assert "the six weeks before." in text(view)
    load = float(trimp(40, 148, np.nanmedian(DAYS["resting_heart_rate"]), 208 - 0.7 * 41, "female"))
    assert table.iloc[0]["load"] == f"{load:.0f}"
    assert any("Training load" in str(chart.proto) for chart in view.get("vega_lite_chart"))


def test_without_workouts_nothing_is_said_of_them(home: Path) -> None:
    view = publish(home, None)
    assert not view.exception
    assert "Workouts" not in [header.value for header in view.header]


def test_a_public_release_has_no_workouts(home: Path) -> None:
    publish(home, 40)
    assert not ReleaseStore(home / "releases").open(MONTHS[-1]).has_table("workouts")
    assert ReleaseStore(home / "releases-people").open(MONTHS[-1]).has_table("workouts")


def test_the_load_ends_on_the_last_day_and_begins_when_its_window_is_full() -> None:
    found = workouts_of(DAYS).to_pandas()
    done = training(found, DAYS, date(2022, 3, 1), date(2022, 3, 20))
    assert done.load["date"].tolist() == pd.date_range("2022-03-01", "2022-03-20").tolist()
    assert done.load[[*WINDOWS]].notna().all(axis=None)
    early = training(found, DAYS, date(2022, 1, 1), date(2022, 1, 31))
    assert early.load["load_7d"].notna().sum() == 31 - 6
    assert early.load["load_42d"].isna().all()
    assert load_sentence(early.load) is None
    assert load_sentence(done.load.iloc[:0]) is None


@pytest.mark.parametrize(
    ("week", "words"), [(130.0, "more than"), (100.0, "as much as"), (70.0, "less than")]
)
def test_a_sentence_compares_the_week_with_six_weeks(week: float, words: str) -> None:
    load = pd.DataFrame({"load_7d": [1.0, week], "load_42d": [1.0, 100.0]})
    assert f"train {words}" in str(load_sentence(load))
