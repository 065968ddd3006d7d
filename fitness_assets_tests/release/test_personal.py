"""Personal models are published with the rows of people, and nothing of them anywhere else."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard import people
from dashboard.people import People
from fitness_assets.cli.released_model import open_forest
from fitness_assets.errors import ReleaseError, StorageError
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.personal import day_kinds, energy
from fitness_assets.models.registry import Trained
from fitness_assets.models.reports import ModelReport
from fitness_assets.release import build
from fitness_assets.release.acceptance import check_people
from fitness_assets.release.bundle import ReleasedModel
from fitness_assets.release.people import PeopleMode, split
from fitness_assets.release.personal import PERSONAL, is_personal
from fitness_assets.release.store import ReleaseStore
from fitness_assets.storage.models import dump
from fitness_assets.web.access import Access
from fitness_assets_tests.support.few_users import by_steps, window
from fitness_assets_tests.support.opening import open_view
from fitness_assets_tests.support.people_bundles import publish_month
from fitness_assets_tests.support.person_home import USER, days_of_life

MONTH = "2022-06"
KCAL, KINDS = "calorie_regressor", "segment_model"


def entry(trained: Trained) -> build.Model:
    report = ModelReport(
        window=[MONTH],
        learned_from={MONTH: "a"},
        released=True,
        bytes=1,
        memory_bytes=1,
        gates=[],
        metrics=trained.metrics,
        scope="personal",
    )
    content = dump(trained.model) if trained.model is not None else None
    return build.Model(entry=ReleasedModel(report=report), content=None, personal=content)


def planted() -> pd.DataFrame:
    """Days of one user with kinds of days and a relation of steps and kcal."""
    days = window(months=3, kcal=by_steps)
    weekend, draws = (days["day_of_week"] >= 6).to_numpy(), np.random.default_rng(0)
    steps = np.where(weekend, 12_000, 5_500) + draws.normal(0, 1_000, len(days))
    kcal = 1_600 + 0.05 * steps + draws.normal(0, 40, len(days))
    return days.assign(user_id=USER, steps=steps, calories_burned=kcal)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the two bundles of a month of one person."""
    home = tmp_path_factory.mktemp("personal")
    days = planted()
    models = {KCAL: entry(energy.train_month(days)), KINDS: entry(day_kinds.train_month(days))}
    publish_month(home, days_of_life(f"{MONTH}-01", f"{MONTH}-30"), models=models)
    return home


@pytest.fixture(autouse=True)
def _reads_in_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITNESS_HOME", str(home))
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(home / "releases"))


def files_of(home: Path) -> dict[str, bytes]:
    """The files of the private bundle."""
    part = ReleaseStore(home / "releases-people").open(MONTH)
    return {
        file.name: (part.folder / (file.path or file.name)).read_bytes()
        for file in part.manifest.files
    }


def test_the_public_release_has_nothing_of_a_personal_model(home: Path) -> None:
    release = ReleaseStore(home / "releases").open(MONTH)
    assert release.personal() is None
    assert not release.has_people
    assert [file.name for file in release.manifest.files if file.name.endswith(".skops")] == []
    for name in (KCAL, KINDS):
        report = release.report().models[name].report
        assert report.scope == "personal"
        assert not report.released
        assert report.metrics is None
        assert report.gates == []
        assert report.bytes is None
    assert "personal" in release.info.not_released[KCAL]


def test_the_private_bundle_has_the_models_and_is_accepted(home: Path) -> None:
    part = ReleaseStore(home / "releases-people").open(MONTH)
    assert part.has_people
    found = part.personal()
    assert found is not None
    assert set(found.models) == {KCAL, KINDS}
    assert part.personal_model(KCAL) is not None
    assert part.personal_model(KINDS) is None
    check_people(files_of(home), MONTH, load_models=True)


@pytest.mark.parametrize(
    ("removed", "added"),
    [
        ({PERSONAL}, {}),
        ({f"personal_{KCAL}.skops"}, {}),
        (set(), {f"personal_{KINDS}.skops": b"x"}),
        (set(), {f"personal_{KCAL}.skops": b"no model"}),
        (set(), {f"{KCAL}.skops": b"x"}),
        (set(), {PERSONAL: b'{"models": {"activity_classifier": {}}}'}),
    ],
)
def test_a_changed_bundle_is_refused(
    home: Path, removed: set[str], added: Mapping[str, bytes]
) -> None:
    files = {name: content for name, content in files_of(home).items() if name not in removed}
    with pytest.raises((ReleaseError, StorageError)):
        check_people({**files, **added}, MONTH, load_models=True)


@pytest.mark.parametrize(("mode", "public", "private"), [("none", 0, 0), ("private", 0, 2)])
def test_personal_files_go_where_rows_of_people_go(
    mode: PeopleMode, public: int, private: int
) -> None:
    files = {PERSONAL: b"", f"personal_{KCAL}.skops": b"", "metrics.json": b""}
    found = [sum(map(is_personal, part)) for part in split(files, mode)]
    assert found == [public, private]
    assert split(files, "public") == (files, {})


def test_a_visitor_sees_the_models_of_their_own_days_only(home: Path) -> None:
    release = ReleaseStore(home / "releases").open(MONTH)
    own = people.read(release, lambda: Access(user=USER, reason=""))
    other = people.read(release, lambda: Access(user="p-other", reason=""))
    assert isinstance(own, People)
    assert isinstance(other, People)
    mine, theirs = own.personal(), other.personal()
    assert mine is not None
    assert theirs is not None
    assert set(mine.models) == {KCAL, KINDS}
    assert own.personal_model(KCAL) is not None
    assert KCAL not in theirs.models
    kinds = theirs.models[KINDS].metrics
    assert kinds is not None
    assert kinds.summary()["users"] == 0
    assert other.personal_model(KCAL) is None


def test_commands_use_the_personal_model(home: Path) -> None:
    store, private = (ReleaseStore(home / name) for name in ("releases", "releases-people"))
    found = open_forest(store, KCAL, None, private)
    assert isinstance(found.metrics, RegressorMetrics)
    assert found.metrics.personal is not None
    with pytest.raises(ReleaseError, match="personal"):
        open_forest(store, KCAL, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("segments", ["Kinds of days", "2 stable kinds of days"]),
        ("models", ["Personal model", "days that came later"]),
        ("try_it", ["personal model of this month", "later days"]),
        ("my_days", ["your model expects", "probability of 90%", "A typical day", "later days"]),
    ],
)
def test_views_show_the_personal_models(
    home: Path, name: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user=USER, reason=""))
    view = open_view(name, home / "releases", monkeypatch)
    if name == "models":
        view.button_group(key="model").set_value("Calorie regressor").run()
    assert not view.exception
    shown = " ".join(
        str(element.value)
        for kind in (view.markdown, view.caption, view.info, view.success, view.header)
        for element in kind
    )
    for text in expected:
        assert text in shown


def test_my_days_has_no_estimate_if_no_personal_model_is_released(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.visitor.access", lambda: Access(user=USER, reason=""))
    monkeypatch.setattr(People, "personal_model", lambda *_: None)
    view = open_view("my_days", home / "releases", monkeypatch)
    assert not view.exception
    assert "Expected energy" not in [element.value for element in view.header]
