"""The dashboard on a real release, and without one that it can show."""

import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy, StreamlitHeaders
from streamlit.testing.v1 import AppTest

from dashboard import data
from fitness_assets.models.explanations import segments_verdict
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.prediction import predict_activity, predict_calories
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.opening import open_app, releases, text
from fitness_assets_tests.support.platform import MONTHS


def _inference() -> None:
    import streamlit as st

    from dashboard.views import try_it

    st.session_state["month"] = "2023-05"
    try_it.show()


def test_the_overview_shows_the_numbers_of_the_lake(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(releases(released), monkeypatch).run()
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Overview"
    assert app.sidebar.selectbox[0].options == ["2023-05", "2023-04"]
    days = Workspace.of(released).daily.scan(["2023-05"]).table.to_pandas()
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Records"] == f"{len(days):,}"
    assert shown["Users"] == f"{days['user_id'].nunique():,}"
    assert shown["Days"] == "31"
    assert shown["Total steps"] == f"{days['steps'].sum() / 1e6:,.1f} million"
    assert shown["Total energy"] == f"{days['calories_burned'].sum() / 1e6:,.1f} million kcal"
    assert shown["Days worn"] == f"{days['worn'].mean():.1%}"
    models = ReleaseStore(releases(released)).open("2023-05").report().models
    segments = data.carried_metrics(models["segment_model"], SegmentMetrics)
    classifier = data.carried_metrics(models["activity_classifier"], ClassifierMetrics)
    regressor = data.carried_metrics(models["calorie_regressor"], RegressorMetrics)
    assert segments
    assert classifier
    assert regressor
    assert shown["Stable segments"] == (str(segments.k) if segments.stable else "none")
    assert segments_verdict(segments) in [text.value for text in app.markdown]
    scores, baseline = classifier.evaluation.scores, classifier.evaluation.baseline
    assert shown["Accuracy"] == f"{scores.accuracy:.0%}"
    assert f"is right on {baseline.accuracy:.0%}." in text(app)
    assert shown["Mean error"] == f"{regressor.evaluation.scores.mae:,.0f} kcal"


def test_the_address_restores_the_month_and_what_does_not_exist_is_named(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(releases(released), monkeypatch).run()
    app.sidebar.selectbox[0].select("2023-04").run()
    assert {m.label: m.value for m in app.metric}["Days"] == "30"

    app = open_app(releases(released), monkeypatch)
    app.query_params["month"] = "2023-04"
    app.run()
    assert app.sidebar.selectbox[0].value == "2023-04"
    assert not app.info

    app = open_app(releases(released), monkeypatch)
    app.query_params["month"] = "1999-01"
    app.run()
    assert app.sidebar.selectbox[0].value == "2023-05"
    assert "asks for" in app.info[0].value


def test_inference_gives_the_answers_of_the_released_models(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(releases(released)))
    app = AppTest.from_function(_inference, default_timeout=60).run()
    assert not app.exception
    release = ReleaseStore(releases(released)).open("2023-05")
    regressor = release.model("calorie_regressor")
    classifier = release.model("activity_classifier")
    assert regressor is not None
    assert classifier is not None
    models = release.report().models
    of_regressor = data.carried_metrics(models["calorie_regressor"], RegressorMetrics)
    of_classifier = data.carried_metrics(models["activity_classifier"], ClassifierMetrics)
    assert of_regressor
    assert of_classifier

    def answers(form: str) -> dict[str, float | None]:
        boxes = [box for box in app.number_input if str(box.key).startswith(f"{form}-")]
        return {str(box.key).removeprefix(f"{form}-"): box.value for box in boxes}

    categories = of_regressor.inputs.categories["activity_type"]
    assert len(categories) > 2
    estimates = set()
    for category in categories:
        app.selectbox(key="calories-activity_type").select(category).run()
        record = answers("calories") | {"activity_type": category}
        expected = predict_calories(regressor, of_regressor, record)
        shown = {metric.label: metric.value for metric in app.metric}
        assert shown["Estimated energy of the day"] == f"{expected.kcal:,.0f} kcal"
        interval = f"between {expected.low:,.0f} and {expected.high:,.0f} kcal"
        assert any(interval in caption.value for caption in app.caption)
        estimates.add(shown["Estimated energy of the day"])
    assert len(estimates) > 1, "the estimate depends on the activity"

    found = predict_activity(classifier, of_classifier, answers("activity"))
    likeliest = next(iter(found.probabilities))
    assert shown["Most probable activity"].lower().replace(" ", "_").startswith(likeliest)


def test_the_estimate_depends_on_an_optional_input(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(releases(released)))
    app = AppTest.from_function(_inference, default_timeout=60).run()
    weight = app.number_input(key="calories-weight_kg")
    assert weight.value is None, "optional fields are empty at first"
    shown = []
    for kilograms in (55.0, 95.0):
        app.number_input(key="calories-weight_kg").set_value(kilograms).run()
        assert not app.exception
        values = {metric.label: metric.value for metric in app.metric}
        shown.append(int(values["Estimated energy of the day"].split()[0].replace(",", "")))
    assert shown[1] > shown[0] + 300


def test_an_input_outside_the_training_data_is_marked(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(releases(released)))
    app = AppTest.from_function(_inference, default_timeout=60).run()
    assert not app.warning
    app.number_input(key="calories-steps").set_value(500_000.0).run()
    (warning,) = app.warning
    assert "outside the values that the model was trained on" in warning.value


def test_without_a_release_the_dashboard_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(tmp_path, monkeypatch).run()
    assert not app.exception
    assert "No month has been released yet" in app.info[0].value


def test_the_dashboard_starts_with_an_invalid_setting_of_the_platform(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_SOURCE", "unknown")
    app = open_app(releases(released), monkeypatch).run()
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Overview"


def test_a_damaged_release_is_refused_and_the_others_are_shown(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = tmp_path / "origin"
    shutil.copytree(releases(released), origin)
    for table in (origin / "2023-05").glob("days-*.parquet"):
        table.write_bytes(b"damaged")
    app = open_app(origin, monkeypatch).run()
    assert not app.exception
    (warning,) = app.warning
    assert "The newest release of 2023-05 was refused" in warning.value
    assert app.sidebar.selectbox[0].options == ["2023-04"]
    (origin / "latest.json").write_text("{}")
    app.run()
    assert not app.exception
    assert "The newest latest.json was refused" in app.warning[0].value
    assert app.sidebar.selectbox[0].options == ["2023-04"], "the previous release is shown"


def test_releases_that_are_not_pinned_are_refused_in_one_message(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_RELEASE_DIGESTS", "0" * 64)
    app = open_app(releases(released), monkeypatch).run()
    assert not app.exception
    (warning,) = app.warning
    assert "The newest releases of 2023-04, 2023-05 were refused" in warning.value
    reasons = app.expander[0].markdown[0].value
    for month in MONTHS:
        assert f"the release of {month} has the digest" in reasons
    assert "Releases are pinned" in app.sidebar.caption[0].value


def test_a_copy_that_was_damaged_later_is_fetched_again_or_not_shown(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = tmp_path / "origin"
    shutil.copytree(releases(released), origin)
    app = open_app(origin, monkeypatch).run()
    assert not app.error

    def damage() -> None:
        for table in (tmp_path / "cache" / "2023-05").glob("days-*.parquet"):
            table.write_bytes(b"damaged")
        st.cache_data.clear()

    damage()
    app.run()
    assert not app.exception
    assert not app.error
    damage()
    for table in (origin / "2023-05").glob("days-*.parquet"):
        table.unlink()
    app.run()
    assert not app.exception
    assert "The release of 2023-05 was refused" in app.error[0].value
    assert str(tmp_path) not in app.error[0].value + app.warning[0].value
    app.sidebar.selectbox[0].select("2023-04").run()
    assert not app.exception
    assert not app.error


def test_models_beyond_the_memory_budget_are_not_loaded(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(releases(released)))
    monkeypatch.setenv("FITNESS_MEMORY", "1000000")
    app = AppTest.from_function(_inference, default_timeout=60).run()
    assert not app.exception
    assert "are in use (FITNESS_MEMORY)" in app.error[0].value


def test_a_new_release_appears_without_a_restart(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, source = FolderTarget(tmp_path), ReleaseStore(releases(released))
    store.upload(source.open("2023-04"))
    app = open_app(tmp_path, monkeypatch).run()
    assert app.sidebar.selectbox[0].options == ["2023-04"]
    store.upload(source.open("2023-05"))
    app.run()
    assert app.sidebar.selectbox[0].options == ["2023-05", "2023-04"]


@pytest.mark.parametrize(
    ("origin", "site", "is_shown"),
    [
        ("http://localhost:8501", "", True),
        ("http://rebound.example:8501", "", False),
        ("https://mine.streamlit.app", "", False),
        ("https://mine.streamlit.app", "https://mine.streamlit.app", True),
    ],
)
def test_the_app_without_the_gate_refuses_sessions_of_other_names(
    released: Settings, monkeypatch: pytest.MonkeyPatch, origin: str, site: str, *, is_shown: bool
) -> None:
    headers = StreamlitHeaders([("Origin", origin), ("Host", origin.partition("://")[2])])
    monkeypatch.setattr(ContextProxy, "headers", headers)
    monkeypatch.setenv("FITNESS_SITE", site)
    app = open_app(releases(released), monkeypatch).run()
    assert bool(app.metric) == is_shown
    assert ["dashboard/server.py" in error.value for error in app.error] == [True] * (not is_shown)
    assert bool(app.sidebar.selectbox) == is_shown
