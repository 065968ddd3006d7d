"""The view My years on the releases of one person."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import years
from dashboard.charts import my_years
from dashboard.charts.my_years import Mark
from fitness_assets.record.units import IMPERIAL, Units
from fitness_assets.release.store import ReleaseStore
from fitness_assets.storage.notes import Note, NoteStore
from fitness_assets.web.access import Access
from fitness_assets_tests.support.opening import open_view
from fitness_assets_tests.support.people_bundles import publish_bundles
from fitness_assets_tests.support.person_home import (
    ASSOCIATION,
    FINDINGS,
    USER,
    days_of_life,
    findings_of,
    publish_person,
)

# Any and not DataFrame: the types of pandas do not know the types of cells.
DAYS: Any = days_of_life("2022-01-01", "2023-05-20")
# The last month has notably more steps.
DAYS.loc[DAYS["date"] >= date(2023, 5, 1), "steps"] += 2_000


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the bundles of one person over 17 months, the last of which has not ended."""
    home = tmp_path_factory.mktemp("years")
    publish_person(home, DAYS, date(2023, 5, 20))
    return home


@pytest.fixture
def home(published: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same home, whose visitor may see their own rows."""
    monkeypatch.setenv("FITNESS_HOME", str(published))
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user=USER, reason=""))
    return published


@dataclass(frozen=True)
class Shown:
    """What a view shows."""

    view: AppTest

    @property
    def text(self) -> str:
        view = self.view
        parts = [*view.markdown, *view.caption, *view.info, *view.error]
        return "\n".join(part.value for part in [*parts, *view.header])

    @property
    def charts(self) -> list[dict[str, object]]:
        return [json.loads(each.proto.spec) for each in self.view.get("vega_lite_chart")]


def show(home: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(open_view("my_years", home / "releases", monkeypatch))


def frame(rows: list[dict[str, object]]) -> Any:
    return findings_of(rows).to_pandas()


def test_the_view_says_what_changed_last_month_and_which_year_was_best(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = show(home, monkeypatch)
    assert not shown.view.exception
    assert "What changed in May 2023 so far" in shown.text
    by_month = DAYS.groupby(pd.to_datetime(DAYS["date"]).dt.strftime("%Y-%m"))["steps"].median()
    before, now = by_month["2023-04"], by_month["2023-05"]
    assert f"steps +{100 * (now / before - 1):.0f}% ({before:,.0f} to {now:,.0f})" in shown.text
    changes: Any = shown.view.dataframe[0].value.set_index("measure")
    assert changes.loc["Steps", ["now", "before", "year_before"]].to_list() == [
        f"{by_month[month]:,.0f}" for month in ("2023-05", "2023-04", "2022-05")
    ]
    assert "**Sleep**: 2021, mean 7.4 h (355 days)" in shown.text
    assert "From **3 May 2022** about 1,900 steps a day more: 7,490 before" in shown.text
    assert "Change between 1,600 and 2,200, from 860 days." in shown.text
    assert "it may measure differently, without a change of yours" in shown.text
    assert "`fitbit <b>2</b>`" in shown.text
    assert "Nothing found: of 42 pairs of measures none goes together" in shown.text
    assert "12 days without data, 3 Aug 2021 to 14 Aug 2021." in shown.text
    assert "20 days in a row, from 1 May 2023 until now." in shown.text
    assert [chart["title"] for chart in shown.charts] == [
        "Steps by month",
        "Steps over the year",
        "Steps: May of each year",
    ]


def test_the_address_restores_each_choice_and_what_does_not_exist_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = {"measure": "Sleep", "period": "Weeks", "compare": "March"}
    view = open_view("my_years", home / "releases", monkeypatch, **address)
    assert not view.exception
    assert [chart["title"] for chart in Shown(view).charts] == [
        "Sleep by week",
        "Sleep over the year",
        "Sleep: March of each year",
    ]
    assert not view.info[1:], "only the one of the partial month"
    view.selectbox(key="measure").select("steps").run()
    assert Shown(view).charts[0]["title"] == "Steps by week"
    unknown = open_view("my_years", home / "releases", monkeypatch, measure="Blood")
    assert "The address asks for Blood" in Shown(unknown).text
    assert Shown(unknown).charts[0]["title"] == "Steps by month"


def test_the_line_has_marks_notes_and_the_partial_month(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = Note(
        id="1",
        user=USER,
        kind="illness",
        first=date(2023, 1, 3),
        last=date(2023, 1, 9),
        text="flu",
    )
    NoteStore(home / "people").put(note)
    chart = show(home, monkeypatch).view.get("vega_lite_chart")[0]
    drawn = str(chart.proto)
    for text in ("+1,904", "fitbit <b>2</b>", "Illness: flu", "is_partial"):
        assert text in drawn
    assert "\N{MINUS SIGN}2.1" not in drawn, "a change of another measure"


def test_a_release_without_summaries_says_how_to_add_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_bundles(tmp_path)
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path))
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(everyone=True, reason=""))
    shown = show(tmp_path, monkeypatch)
    assert "no summaries of years" in shown.text
    assert not shown.charts


def test_nobody_reads_the_years_of_another_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user="other", reason=""))
    shown = show(home, monkeypatch)
    assert not shown.charts
    assert "There are no days" in shown.text
    for name in ("summaries", "findings"):
        table = ReleaseStore(home / "releases-people").open("2023-05").table(name)
        assert set(table["user_id"]) == {USER}
        assert not ReleaseStore(home / "releases").open("2023-05").has_table(name)


def test_findings_are_sentences() -> None:
    found = frame([*FINDINGS, ASSOCIATION])
    (association,) = years.rows_of(found, "association")
    assert years.association_sentence(association) == "More steps: more sleep on the next day"
    less = association._replace(measure="resting_heart_rate", value=-0.2, lag=0)
    assert (
        years.association_sentence(less) == "Higher resting heart rate: less sleep on the same day"
    )
    pulse = years.rows_of(found, "change_point")[1]
    assert years.change_sentence(pulse, Units()).startswith(
        "From **2 Oct 2022** resting heart rate about 2.1 bpm lower: 58.2 bpm before"
    )
    weight = pulse._replace(measure="weight_kg", value=5.0, low=4.0, high=6.0, device=None)
    sentence = years.change_sentence(weight, Units(IMPERIAL))
    assert "weight about 11.0 lb higher" in sentence
    assert "device" not in sentence
    assert years.best_table(found, Units())[0]["year"] == "9,600, 2023"
    assert years.tried(found, "associations") == 42
    assert years.tried(frame([]), "associations") is None


def test_a_month_without_a_notable_change_is_normal() -> None:
    change = years.MonthChange("steps", 1_000.0, 1_020.0, float("nan"))
    sentence = years.month_sentence([change], Units(), "April 2023")
    assert sentence == "A normal month: nothing changed by 5% or more from April 2023."
    nothing = years.MonthChange("steps", 1_000.0, float("nan"), 900.0)
    assert years.month_sentence([nothing], Units(), "x").startswith("A normal month")


def test_periods_without_data_break_the_line() -> None:
    starts = pd.to_datetime(["2023-01-01", "2023-02-01", "2023-04-01"])
    rows = pd.DataFrame(
        {
            "period": "month",
            "start": starts,
            "days": 20,
            "worn": 20,
            "length": 30,
            "median": [1.0, 2.0, 3.0],
            "p10": 0.5,
            "p90": 4.0,
            "is_partial": False,
        }
    )
    marks = [
        Mark(date(2023, 3, 5), "new", is_device=True),
        Mark(date(2020, 1, 1), "before the chart", is_device=True),
    ]
    drawn = my_years.long_line(rows, "distance_km", Units(IMPERIAL), marks).to_dict()
    (line,) = [rows for rows in drawn["datasets"].values() if "median" in rows[0]]
    values = [row["median"] for row in line]
    assert values[:2] == pytest.approx([0.621371, 1.242742])
    assert values[2] is None or np.isnan(values[2])
    assert "before the chart" not in json.dumps(drawn)
