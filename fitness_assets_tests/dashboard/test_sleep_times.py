"""Times of sleep in releases and in My days."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dashboard.charts.findings import described
from dashboard.charts.my_days import sleep_times
from fitness_assets.errors import ReleaseError
from fitness_assets.release import tables
from fitness_assets.release.acceptance import check_people
from fitness_assets.web.access import Access
from fitness_assets_tests.support.opening import open_view, text
from fitness_assets_tests.support.people_bundles import publish_month
from fitness_assets_tests.support.person_home import USER, days_of_life

MONTH = "2022-01"
DAYS: Any = days_of_life("2022-01-01", "2022-01-31")


def with_times(days: pd.DataFrame) -> pd.DataFrame:
    """Asleep from 23:20 to 6:40, two hours later on weekends, and unknown on two days."""
    dates = pd.to_datetime(days["date"])
    later = pd.to_timedelta(2 * (dates.dt.weekday >= 5), unit="h")
    start = dates - pd.Timedelta(minutes=40) + later
    end = dates + pd.Timedelta(hours=6, minutes=40) + later
    unknown = days.index.isin([4, 5])
    return days.assign(sleep_start=start.mask(unknown), sleep_end=end.mask(unknown))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user=USER, reason=""))
    return tmp_path


def test_a_release_has_minutes_after_the_beginning_of_the_day() -> None:
    found = tables.user_days(with_times(DAYS))
    assert found["sleep_start"].iloc[:3].tolist() == [80.0, 80.0, -40.0]
    assert found["sleep_end"].iloc[2] == 400.0
    assert found["sleep_start"].isna().sum() == 2
    assert "sleep_start" not in tables.user_days(DAYS)


def test_a_release_with_other_values_is_refused() -> None:
    found = tables.user_days(with_times(DAYS))
    for name in ("sleep_start", "floors"):
        files = {"user_days.parquet": found.assign(**{name: "late"}).to_parquet(index=False)}
        with pytest.raises(ReleaseError, match=f"has a column {name} not of the kind number"):
            check_people(files, MONTH, load_models=False)


def test_my_days_shows_when_and_how_regularly_a_user_sleeps(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_month(home, with_times(DAYS))
    view = open_view("my_days", home / "releases", monkeypatch)
    assert not view.exception
    assert "Times of sleep" in [header.value for header in view.header]
    shown = text(view)
    assert "In 29 nights you fell asleep at 23:20 and woke at 06:40, by median." in shown
    assert "The middle of sleep is 2 h later on weekends." in shown
    # Nine changes of two hours in 27 pairs of nights, each at both ends.
    assert f"Regularity: {100 * (1 - 2 * 9 * 240 / 1440 / 27):.0f} of 100." in shown
    assert any(
        "Asleep, night by night" in str(chart.proto) for chart in view.get("vega_lite_chart")
    )


def test_without_times_nothing_is_said_of_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_month(home, DAYS)
    view = open_view("my_days", home / "releases", monkeypatch)
    assert not view.exception
    assert "Times of sleep" not in [header.value for header in view.header]


def test_the_chart_says_what_it_shows() -> None:
    days = tables.user_days(with_times(DAYS)).assign(date=lambda found: pd.to_datetime(found.date))
    spec = sleep_times(days).to_dict()
    assert described(spec).startswith(
        "Asleep, night by night. From falling asleep to waking (h): 7.3"
    )
    (rows,) = (each for each in spec["datasets"].values() if "asleep" in each[0])
    assert len(rows) == 29
    assert (rows[0]["asleep"], rows[0]["awake"]) == ("01:20", "08:40")
