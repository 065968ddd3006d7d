"""Every view on protected releases of a source of real people, with and without their rows."""

import shutil
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fitness_assets.release.store import ReleaseStore
from fitness_assets.settings import Settings
from fitness_assets.web.access import Access
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.opening import VIEWS, open_view
from fitness_assets_tests.support.platform import MONTHS, MakeSettings, materialize

pytestmark = pytest.mark.one_process


@pytest.fixture(scope="module")
def protected(
    released: Settings, make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """A home whose release is made as one of imports is: the rows of people are private."""
    home = tmp_path_factory.mktemp("protected") / "home"
    shutil.copytree(released.home, home)
    ReleaseStore(home / "releases").remove(MONTHS[0])
    settings = make_settings(home, FITNESS_SOURCE="exports")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(settings, MONTHS[-1], instance, ["dashboard_release"]).success
    return settings


def shown(view: AppTest) -> str:
    """All that a view shows, tables as CSV."""
    tables = [*view.dataframe, *view.table]
    boxes = [*view.selectbox, *view.multiselect]
    return "\n".join(
        [
            *(str(each.proto) for each in view.main),
            *(pd.DataFrame(each.value).to_csv() for each in tables),
            *(str(option) for box in boxes for option in box.options),
        ]
    )


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_a_protected_release_with_and_without_the_private_bundle(
    name: str, protected: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases, private = protected.home / "releases", protected.home / "releases-people"
    workspace = Workspace.of(protected)
    release, people = (ReleaseStore(root).open(MONTHS[-1]) for root in (releases, private))
    assert not release.has_people
    assert people.has_people
    monkeypatch.setenv("FITNESS_RELEASE_PEOPLE_SOURCE", str(private))
    # A test has no connection, so nothing is allowed otherwise.
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(everyone=True, reason=""))
    view = open_view(name, releases, monkeypatch)
    assert not view.exception
    assert not view.error
    assert len(view.title) == 1

    monkeypatch.delenv("FITNESS_RELEASE_PEOPLE_SOURCE")
    alone = tmp_path / "public" / "releases"
    shutil.copytree(releases, alone)
    view = open_view(name, alone, monkeypatch)
    assert not view.exception
    assert not view.error
    assert len(view.title) == 1
    text = shown(view)
    users = workspace.daily.scan([MONTHS[-1]], ["user_id"]).table["user_id"].unique()
    assert not [user for user in users.to_pylist() if user in text]


def test_data_quality_shows_rounded_counts_of_a_protected_release(
    protected: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("data_quality", protected.home / "releases", monkeypatch)
    assert not view.exception
    (table,) = [each.value for each in view.dataframe if "allowed_low" in each.value]
    people = protected.smallest_cell
    counts = table[["known", "out_of_range", "missing", "outliers"]].fillna(0).to_numpy()
    assert counts.any()
    assert not (counts % people).any()
    days = Workspace.of(protected).daily.scan([MONTHS[-1]]).table.to_pandas()
    steps = table.set_index("name").loc["Steps"]
    assert abs(steps["known"] - days["steps"].notna().sum()) <= people / 2
    assert steps["maximum"] != days["steps"].max()
