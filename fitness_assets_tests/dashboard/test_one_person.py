"""The dashboard of a home with one person: the overview, notes, and the name of the person."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import personal
from dashboard.charts.person import trend
from fitness_assets.formatting import change, signed
from fitness_assets.record.units import Units
from fitness_assets.storage.imported_names import ImportedNames
from fitness_assets.storage.notes import Note, NoteStore
from fitness_assets.web.access import Access
from fitness_assets_tests.support.fixed_clock import set_time
from fitness_assets_tests.support.opening import open_view, text
from fitness_assets_tests.support.person_home import USER, days_of_life, publish_person

DAYS = days_of_life("2022-01-01", "2022-03-20")
NOTE = Note(
    id="1",
    user=USER,
    kind="illness",
    first=date(2022, 3, 1),
    last=date(2022, 3, 3),
    text="<b>flu</b> :red[x]",
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the bundles of one person."""
    home = tmp_path_factory.mktemp("person")
    publish_person(home, DAYS, date(2022, 3, 20))
    return home


@pytest.fixture
def home(published: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same home, whose visitor may see everyone, on the day after its last day."""
    monkeypatch.setenv("FITNESS_HOME", str(published))
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(everyone=True, reason=""))
    set_time(monkeypatch, "2022-03-21 08:00")
    (published / "people").mkdir(exist_ok=True)
    for file in (published / "people").iterdir():
        file.unlink()
    return published


def charts(view: AppTest) -> list[str]:
    """The specifications of the charts, with their data."""
    return [str(chart.proto) for chart in view.get("vega_lite_chart")]


def test_the_overview_of_one_person_is_a_sentence_and_three_tiles(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ImportedNames(home / "people").add({USER: "Zoë <b>Quill</b>"})
    view = open_view("overview", home / "releases", monkeypatch)
    assert not view.exception
    week, before = DAYS[-7:], DAYS[-35:-7]
    steps, usual = week["steps"].mean(), before["steps"].mean()
    sleep = week["sleep_hours"].mean()
    pulse = change(before["resting_heart_rate"].mean(), week["resting_heart_rate"].mean(), 1)
    sentence = (
        f"**This week**: steps {signed(100 * (steps / usual - 1))}%, sleep {sleep:.1f} h, "
        f"resting pulse {pulse} bpm compared with your usual."
    )
    assert sentence in text(view)
    shown = {metric.label: metric.value for metric in view.metric}
    assert list(shown) == [
        "Steps, daily mean",
        "Sleep, daily mean",
        "Resting heart rate, daily mean",
    ]
    assert shown["Steps, daily mean"] == f"{steps:,.0f}"
    assert f"your usual {usual:,.0f}" in view.metric[0].delta
    assert "`Zoë <b>Quill</b>`" in text(view)
    assert "March so far: 1\N{EN DASH}20" in text(view)
    assert "Data last arrived for 20 Mar 2022." in text(view)
    for of_a_cohort in ("million", "Users", "held-out", "segment", "needs 20 users"):
        assert of_a_cohort not in text(view) + " ".join(shown), of_a_cohort
    titles = [json.loads(c.proto.spec)["title"] for c in view.get("vega_lite_chart")]
    assert titles[:2] == ["Sleep: days and 7-day mean", "Weight: days and 7-day mean"]


def test_the_overview_says_that_data_is_old_and_names_the_week_by_its_dates(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_time(monkeypatch, "2022-04-10 08:00")
    view = open_view("overview", home / "releases", monkeypatch)
    assert "**Week of 14 Mar to 20 Mar 2022**: steps" in text(view)
    assert "Data last arrived for 20 Mar 2022, 21 days ago" in view.warning[0].value


def test_a_visitor_who_may_see_their_own_rows_gets_the_overview_of_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user=USER, reason=""))
    view = open_view("overview", home / "releases", monkeypatch)
    assert "**This week**" in text(view)
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user="another", reason=""))
    view = open_view("overview", home / "releases", monkeypatch)
    assert not view.exception
    assert "There are no days of yours" in text(view)
    monkeypatch.setattr("dashboard.visitor.access", Access)
    view = open_view("overview", home / "releases", monkeypatch)
    assert "This week" not in text(view)


def test_explore_compares_the_month_with_the_past_of_the_person(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NoteStore(home / "people").put(NOTE)
    view = open_view("explore", home / "releases", monkeypatch, past="The 12 months before")
    assert not view.exception
    months = pd.to_datetime(DAYS["date"]).dt.month
    now, past = DAYS[months == 3]["steps"].mean(), DAYS[months < 3]["steps"].mean()
    (table,) = view.dataframe
    row = table.value.set_index("measure").loc["Steps"]
    assert row["now"] == f"{now:,.0f}"
    assert row["past"] == f"{past:,.0f}"
    # A number with its sign is no formula: no apostrophe before it.
    assert row["change"] == change(past, now)
    first, _ = charts(view)
    assert "flu" in first
    options = next(box for box in view.selectbox if box.label == "Compare with").options
    assert options == ["The month before", "The 12 months before"]


def test_my_days_of_one_person_shows_notes_and_no_segment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NoteStore(home / "people").put(NOTE)
    view = open_view("my_days", home / "releases", monkeypatch)
    assert not view.exception
    assert "segment" not in "".join(part.value for part in view.header)
    assert any("flu" in chart for chart in charts(view))
    assert "Your own days" in text(view)


def test_a_week_is_compared_with_the_worn_days_before_it() -> None:
    days = DAYS.assign(date=pd.to_datetime(DAYS["date"]))
    days.loc[days.index[-1], ["steps", "worn"]] = 90_000, False
    (change,) = personal.week_compared(days, ["steps"])
    assert change.mean == days["steps"][-7:-1].mean()
    assert personal.week_compared(days[-13:], ["steps"]) == [], "6 days before the week"
    assert personal.week_compared(days, ["sedentary_minutes"]) == []


def test_notes_are_added_changed_and_deleted_and_shown_on_charts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = NoteStore(home / "people")
    view = open_view("overview", home / "releases", monkeypatch)
    view.text_input[0].set_value(NOTE.text)
    view.date_input[0].set_value(NOTE.first)
    view.date_input[1].set_value(date(2022, 2, 1))
    view.button[0].click().run()
    assert "before it begins on" in view.error[0].value
    assert store.of(USER) == []
    view.date_input[1].set_value(NOTE.last)
    view.button[0].click().run()
    assert not view.exception
    (stored,) = store.of(USER)
    assert (stored.text, stored.first, stored.last, stored.kind) == (
        NOTE.text,
        NOTE.first,
        NOTE.last,
        "illness",
    )
    assert "The note was saved." in text(view)
    for spec in charts(view)[:2]:
        assert "flu" in spec
    assert view.text_input[0].value == ""

    chooser = next(box for box in view.selectbox if box.label == "Note to change")
    chooser.select(stored.id).run()
    assert view.text_input[0].value == NOTE.text
    view.text_input[0].set_value("better")
    view.button[0].click().run()
    assert [note.text for note in store.of(USER)] == ["better"]
    chooser = next(box for box in view.selectbox if box.label == "Note to change")
    chooser.select(stored.id).run()
    view.button[1].click().run()
    assert store.of(USER) == []
    assert "The note was deleted." in text(view)


def test_a_dashboard_without_the_home_has_no_notes_and_no_names(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NoteStore(home / "people").put(NOTE)
    ImportedNames(home / "people").add({USER: "Zoë"})
    monkeypatch.setenv("FITNESS_RELEASE_SOURCE", str(tmp_path))
    monkeypatch.setenv("FITNESS_RELEASE_PEOPLE_SOURCE", str(home / "releases-people"))
    view = open_view("overview", home / "releases", monkeypatch)
    assert "**This week**" in text(view)
    assert "Zoë" not in text(view)
    assert "This dashboard reads releases from elsewhere" in text(view)
    assert not view.text_input
    assert "flu" not in "".join(charts(view))


def test_notes_of_a_home_that_cannot_be_written_are_shown_and_not_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NoteStore(home / "people").put(NOTE)
    monkeypatch.setattr("os.access", lambda *_: False)
    view = open_view("overview", home / "releases", monkeypatch)
    assert "may not write to the folder" in text(view)
    assert not view.text_input
    assert "flu" in charts(view)[0]


def test_notes_of_another_user_are_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    NoteStore(home / "people").put(NOTE)
    (home / "people" / "names.json").write_text("damaged")
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user=USER, reason=""))
    view = open_view("overview", home / "releases", monkeypatch)
    assert "flu" in charts(view)[0]
    (home / "people" / "notes.json").write_text("damaged")
    view = open_view("overview", home / "releases", monkeypatch)
    assert not view.exception
    assert "notes.json cannot be read" in view.error[0].value
    assert str(home) not in view.error[0].value


def test_a_note_is_clipped_to_the_dates_of_a_chart() -> None:
    days = DAYS.assign(date=pd.to_datetime(DAYS["date"]))[["date", "steps"]][-20:]
    chart = trend(days, "steps", Units(), [NOTE]).to_dict()
    bands = [rows for rows in chart["datasets"].values() if "note" in rows[0]]
    assert [row["from"][:10] for row in bands[0]] == ["2022-03-01"]
    earlier = trend(days[-5:], "steps", Units(), [NOTE]).to_dict()
    assert not [rows for rows in earlier["datasets"].values() if "note" in rows[0]]
