"""Every view on a real release, and with incomplete, damaged or no releases."""

import json
from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from msgspec.structs import replace
from streamlit.testing.v1 import AppTest

from dashboard import choices, data
from dashboard.text import label, without_paths
from fitness_assets.etl.quality import DAILY_CHECKS
from fitness_assets.formatting import change, size
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.forests.pipelines import packed
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.release.bundle import Release
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
from fitness_assets.storage.models import load
from fitness_assets.storage.publication import StoredFile, read_bytes
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.models import rewritten
from fitness_assets_tests.support.opening import (
    COMPRESSION_REPORT,
    VIEWS,
    changed,
    open_app,
    open_view,
    release,
    releases,
    text,
    without_models,
)
from fitness_assets_tests.support.platform import MONTHS


# Any and not DataFrame: the types of pandas do not know the types of cells.
def lake(settings: Settings, months: tuple[str, ...] = MONTHS[-1:]) -> Any:
    return Workspace.of(settings).daily.scan(list(months)).table.to_pandas()


def metrics_of(of_release: Release, name: str, kind: type[data.M]) -> data.M:
    """The metrics of the model that a release carries."""
    metrics = data.carried_metrics(of_release.report().models[name], kind)
    assert metrics is not None
    return metrics


def shown(view: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in view.metric}


def frame(view: AppTest, column: str) -> Any:
    """The table with `column`."""
    (found,) = [table.value for table in view.dataframe if column in table.value]
    return found


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_a_real_release_without_errors(
    name: str, released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view(name, releases(released), monkeypatch)
    assert not view.exception
    assert not view.error
    assert len(view.title) == 1
    assert view.markdown[0].value == "**May 2023**", "the list of months is closed on a phone"
    for chart in view.get("vega_lite_chart"):
        title = json.loads(chart.proto.spec)["title"]
        assert chart.proto.alt.startswith(f"{title}. "), "what the chart shows follows its title"


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_without_releases_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view(name, tmp_path, monkeypatch)
    assert not view.exception
    assert "No month has been released yet" in view.info[0].value


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_a_release_without_models(
    name: str, released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = changed(released, tmp_path / "partial", without_models)
    view = open_view(name, source, monkeypatch)
    assert not view.exception
    assert not view.error
    if name in {"segments", "try_it", "models", "overview", "my_days"}:
        assert "needs 20 users" in text(view)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_nothing_of_a_damaged_release(
    name: str, released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = changed(released, tmp_path / "damaged", lambda *_: None)
    for file in (source / MONTHS[-1]).glob("*.parquet"):
        file.write_bytes(b"damaged")
    for file in (source / MONTHS[-1]).glob("metrics-*.json"):
        file.write_bytes(b"{}")
    view = open_view(name, source, monkeypatch)
    assert not view.exception
    assert f"The release of {MONTHS[-1]} was refused" in view.error[0].value
    assert "fitness backfill" in view.error[0].value


def test_a_view_that_fails_shows_one_line_and_logs_the_reason(
    released: Settings, monkeypatch: pytest.MonkeyPatch, view_failures: list[str]
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("/srv/secret/folder")

    monkeypatch.setattr(data, "table", fail)
    view = open_view("explore", releases(released), monkeypatch)
    assert not view.exception
    (error,) = view.error
    assert f"This page of {MONTHS[-1]} cannot be shown" in error.value
    assert "secret" not in text(view)
    (failure,) = view_failures
    assert "Traceback" in failure
    assert "/srv/secret/folder" in failure
    view_failures.clear()


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("/srv/a/days-1.parquet differs", "days-1.parquet differs"),
        ("/srv/x/2023-05 has no days.parquet", "2023-05 has no days.parquet"),
        ("in '/srv/x/y' of 1/2", "in 'y' of 1/2"),
        ("https://drive.google.com/uc?id=1 is not", "https://drive.google.com/uc?id=1 is not"),
        ("2023-05/manifest.json is of month", "2023-05/manifest.json is of month"),
    ],
)
def test_messages_to_visitors_name_no_folders(message: str, shown: str) -> None:
    assert without_paths(message) == shown


def test_a_broken_model_is_refused_by_the_views_that_use_it(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = release(released)
    files = {file.name: read_bytes(source.folder, file) for file in source.manifest.files}
    model = load(files["calorie_regressor.skops"], "x")
    forest = packed(model)[0].to_bytes()
    files["calorie_regressor.skops"] = rewritten(
        files["calorie_regressor.skops"], lambda part: part.replace(forest, forest[:-1] + b"x")
    )
    ReleaseStore(tmp_path).write(source.month, files, source.manifest.info)
    view = open_view("try_it", tmp_path, monkeypatch)
    assert not view.exception
    assert "not a packed forest" in view.error[0].value
    view = open_view("overview", tmp_path, monkeypatch)
    assert not view.exception
    assert not view.error


def test_a_release_of_another_schema_version_is_refused(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ReleaseStore(tmp_path)
    source = release(released)
    older_info = replace(source.info, schema_version=1)
    with monkeypatch.context() as older:
        older.setattr("fitness_assets.release.bundle.SCHEMA_VERSION", 1)
        store.publish({"metrics.json": b"{}"}, older_info)
    view = open_view("explore", tmp_path, monkeypatch)
    assert not view.exception
    assert "has schema version 1" in view.error[0].value


def test_the_table_of_months_and_the_pipeline_show_the_stores(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("overview", releases(released), monkeypatch)
    view.session_state["details"] = True
    view.run()
    table = frame(view, "mean_kcal").set_index("month")
    assert list(table.index) == ["2023-05", "2023-04"]
    for month in MONTHS:
        days = lake(released, (month,))
        assert table.loc[month, "records"] == len(days)
        assert table.loc[month, "users"] == days["user_id"].nunique()
        assert table.loc[month, "mean_steps"] == pytest.approx(days["steps"].mean())
        assert table.loc[month, "mean_kcal"] == pytest.approx(days["calories_burned"].mean())
    (stages,) = [body for each in view.get("html") if "stages" in (body := str(each.proto.body))]
    workspace = Workspace.of(released)
    for asset in ("raw_telemetry", "daily_activity", "segment_model", "model_backtest"):
        manifest = workspace.manifest(asset, MONTHS[-1])
        assert manifest is not None
        assert manifest.data_version[:12] in stages
    assert "not materialized for this month" in stages, "the compression report is made on request"


def test_the_table_of_activities_shows_the_lake(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("explore", releases(released), monkeypatch)
    view.segmented_control(key="topic").select("Activities").run()
    assert not view.exception
    table = frame(view, "activity").set_index("activity")
    days = lake(released).assign(
        activity_type=lambda days: days["activity_type"].map(label, "ignore")
    )
    assert table["days"].to_dict() == days["activity_type"].value_counts().to_dict()
    for name, of_activity in days.groupby("activity_type"):
        assert table.loc[name, "users"] == of_activity["user_id"].nunique()
        for number in ("steps", "calories_burned", "heart_rate_avg", "sleep_hours"):
            assert table.loc[name, number] == pytest.approx(of_activity[number].mean())


@pytest.mark.parametrize("part", ["Distributions", "Activities", "Relations", "Health", "Time"])
def test_explore_reads_only_the_chosen_month_and_says_how_much(
    part: str, released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []

    def counted(folder: Path, file: StoredFile) -> bytes:
        read.append((folder.name, file.bytes))
        return read_bytes(folder, file)

    monkeypatch.setattr("fitness_assets.release.bundle.read_bytes", counted)
    view = open_view("explore", releases(released), monkeypatch)
    if part != "Distributions":
        read.clear()
        st.cache_data.clear()
        view.segmented_control(key="topic").select(part).run()
    assert not view.exception
    assert {month for month, _ in read} == {MONTHS[-1]}
    assert f"{size(sum(count for _, count in read))} were read" in view.caption[-1].value


def test_units_change_the_shown_values_and_not_the_stored_ones(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(releases(released), monkeypatch).run()
    app.sidebar.selectbox(key="units").select("Imperial").run()
    assert app.session_state["units"] == "Imperial"
    view = open_view("data_quality", releases(released), monkeypatch)
    metric = frame(view, "allowed_low").set_index("name")
    view.session_state["units"] = "Imperial"
    view.run()
    imperial = frame(view, "allowed_low").set_index("name")
    ratio = imperial.loc["Distance (mi)", "median"] / metric.loc["Distance (km)", "median"]
    assert ratio == pytest.approx(0.621371)
    assert imperial.loc["Steps", "median"] == metric.loc["Steps", "median"]


def test_the_table_of_segments_shows_the_means_of_their_users(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("segments", releases(released), monkeypatch)
    table = frame(view, "resting_heart_rate").set_index("name")
    segments = metrics_of(release(released), "segment_model", SegmentMetrics)
    assert segments.stable, "or this test checks nothing"
    days = lake(released, MONTHS)
    means = days[days["worn"]].groupby("user_id").mean(numeric_only=True)
    members = release(released).table("segments").set_index("user_id")["segment"]
    for profile in segments.profiles:
        users = members.index[members == profile.segment]
        row = table.loc[profile.name]
        assert row["users"] == len(users)
        for shown_as, column in {
            "steps": "steps",
            "active_minutes": "active_minutes",
            "resting_heart_rate": "resting_heart_rate",
            "sleep": "sleep_hours",
            "calories": "calories_burned",
        }.items():
            if shown_as in row:
                assert row[shown_as] == pytest.approx(means.loc[users, column].mean())


def test_movement_counts_users_by_their_segments_of_both_months(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def named(month: str) -> Any:
        return release(released, month).table("segments").set_index("user_id")["segment_name"]

    before, now = named(MONTHS[0]), named(MONTHS[1])
    both = before.index.intersection(now.index)
    shared = pd.crosstab(before[both], now[both]).to_numpy()
    # Whichever pairing of the groups of both months leaves the fewest users apart.
    wide = shared if shared.shape[0] <= shared.shape[1] else shared.T
    same = max(
        sum(wide[row, column] for row, column in enumerate(columns))
        for columns in permutations(range(wide.shape[1]), wide.shape[0])
    )
    view = open_view("segments", releases(released), monkeypatch)
    assert f"{same:,} of {len(both):,} users" in text(view)


def test_segments_that_are_not_stable_are_not_shown(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unstable(metrics: dict[str, Any], _: dict[str, bytes]) -> None:
        report = metrics["models"]["segment_model"]["report"]["metrics"]
        chosen = next(each for each in report["candidates"] if each["k"] == report["k"])
        chosen |= {"stability": 0.2, "bootstrap": 0.2}
        report |= {"stable": False, "stability": 0.2, "profiles": []}

    source = changed(released, tmp_path / "unstable", unstable)
    view = open_view("segments", source, monkeypatch)
    assert not view.exception
    assert "No stable segments" in view.warning[0].value
    assert not view.dataframe
    mine = open_view("my_days", source, monkeypatch)
    assert not mine.exception
    assert "No stable segments were found" in text(mine)


def test_data_quality_shows_the_lake(released: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    view = open_view("data_quality", releases(released), monkeypatch)
    days, workspace = lake(released), Workspace.of(released)
    raw = workspace.raw.scan([MONTHS[-1]]).table.to_pandas()
    metrics = shown(view)
    assert metrics["Records delivered"] == f"{len(raw):,}"
    repeated = int(raw.duplicated(["user_id", "date"]).sum())
    assert repeated > 0
    assert metrics["Duplicates removed"] == f"{repeated:,}"
    flags = days["quality_flags"].map(len).sum()
    assert metrics["Values set to missing"] == f"{flags:,}"
    assert metrics["Days not worn"] == f"{(~days['worn']).sum():,}"
    table = frame(view, "allowed_low").set_index("name")
    columns = {Units().title(name): name for name in NUMBERS if name in days}
    assert list(table.index) == list(columns)
    for (_, row), name in zip(table.iterrows(), columns.values(), strict=True):
        values = days[name].dropna().astype(float)
        assert row["known"] == len(values)
        flagged = days["quality_flags"].map(lambda flags, n=name: f"{n}_out_of_range" in flags)
        assert row["out_of_range"] == flagged.sum()
        unknown = days[name].isna() & ~flagged
        assert row["not_worn"] == (unknown & ~days["worn"]).sum()
        assert row["missing"] == (unknown & days["worn"]).sum()
        if values.empty:  # a column that the cohort does not simulate
            assert row[["minimum", "q1", "median", "q3", "maximum"]].isna().all()
            continue
        q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
        assert (row["minimum"], row["maximum"]) == (values.min(), values.max())
        assert (row["q1"], row["median"], row["q3"]) == pytest.approx((q1, median, q3))
        far = (values < q1 - 3 * (q3 - q1)) | (values > q3 + 3 * (q3 - q1))
        assert row["outliers"] == far.sum()
    (checks,) = [table.value for table in view.table]
    assert all("passed" in result for result in checks["Result"])
    assert len(checks) == len(DAILY_CHECKS)


def test_quarantined_files_are_listed_with_their_reasons(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quarantine(metrics: dict[str, Any], _: dict[str, bytes]) -> None:
        metrics["data"]["unread"] = {"=cmd.csv": "row 3, steps: 'many'"}

    view = open_view(
        "data_quality", changed(released, tmp_path / "quarantine", quarantine), monkeypatch
    )
    assert not view.exception
    assert shown(view)["Files quarantined"] == "1"
    listed = view.table[-1].value
    assert list(listed.index) == ["`=cmd.csv`"]
    assert listed.iloc[0, 0] == "row 3, steps: 'many'"


def test_my_days_shows_the_days_of_the_user_in_the_lake(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("my_days", releases(released), monkeypatch)
    days = lake(released)
    users = sorted(days["user_id"].unique())
    assert view.selectbox(key="user").options == users
    view.selectbox(key="user").select(users[3]).run()
    view.number_input(key="goal-steps").set_value(8_000).run()
    assert not view.exception
    own = days[days["user_id"] == users[3]].sort_values("date")
    reached = int((own["steps"] >= 8_000).sum())
    assert f"{reached} of {len(own)} days reach 8,000" in text(view)
    week = own.tail(7)
    assert shown(view)["Steps, daily mean"] == f"{week['steps'].mean():,.0f}"
    usual = week["steps_mean_28d"].iloc[0]
    (delta,) = [m.delta for m in view.metric if m.label == "Steps, daily mean"]
    assert delta.startswith(f"{change(usual, week['steps'].mean())} ")


def test_the_days_of_one_user_are_read_without_those_of_others(released: Settings) -> None:
    own = release(released).table("user_days", user="u0000007")
    assert set(own["user_id"]) == {"u0000007"}
    everyone = release(released).table("user_days")
    assert own.equals(everyone[everyone["user_id"] == "u0000007"].reset_index(drop=True))


def test_compression_says_how_to_materialize_a_report_and_then_shows_it(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("compression", releases(released), monkeypatch)
    assert "key:compression_report or key:dashboard_release" in view.info[0].value
    source = changed(
        released,
        tmp_path / "report",
        lambda metrics, _: metrics.update(compression=COMPRESSION_REPORT),
    )
    view = open_view("compression", source, monkeypatch)
    assert not view.exception
    assert "101,975 times smaller" in text(view)
    assert shown(view)["On disk"] == "12 kB"
    assert view.header[0].value == "Better inputs, not compression"
    view.select_slider(key="step").set_value("scikit-learn's default").run()
    assert not view.exception
    assert shown(view)["On disk"] == "1.23 GB"
    assert "5 of its 100 trees were trained" in text(view)
    decisions = open_view("decisions", source, monkeypatch)
    assert shown(decisions)["Times smaller"] == "101,975"


def test_the_scores_of_the_models_are_those_of_the_release(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("models", releases(released), monkeypatch)
    table = frame(view, "macro_f1").set_index("model")
    classifier = metrics_of(release(released), "activity_classifier", ClassifierMetrics)
    scores, baseline = classifier.evaluation.scores, classifier.evaluation.baseline
    assert table.loc["This model", "macro_f1"] == scores.macro_f1
    assert table.loc["Baseline (class shares)", "accuracy"] == baseline.accuracy
    view.segmented_control(key="model").select("Calorie regressor").run()
    assert not view.exception
    regressor = metrics_of(release(released), "calorie_regressor", RegressorMetrics)
    table = frame(view, "rmse").set_index("model")
    assert table.loc["This model", "r2"] == regressor.evaluation.scores.r2
    assert table.loc["Linear part", "mae"] == regressor.linear.mae
    # Both charts count every day of the held-out users.
    agreement = regressor.agreement
    assert sum(map(sum, agreement.counts)) == regressor.evaluation.rows
    assert sum(agreement.residual_counts) == regressor.evaluation.rows
    assert sum(each.rows for each in classifier.reliability) == classifier.evaluation.rows


def test_a_fallback_model_is_named_as_one(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fallback(metrics: dict[str, Any], _: dict[str, bytes]) -> None:
        report = metrics["models"]["calorie_regressor"]["report"]
        failed = report | {"released": False, "reason": "no_worse_than_before (r2 0.1)"}
        metrics["models"]["calorie_regressor"] = {
            "report": failed,
            "fallback": {"month": "2023-04", "report": report},
        }

    view = open_view("models", changed(released, tmp_path / "fallback", fallback), monkeypatch)
    view.segmented_control(key="model").select("Calorie regressor").run()
    assert not view.exception
    assert "The model of 2023-04 is used instead" in text(view)


def test_a_month_whose_training_data_has_changed_is_outdated(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, source = FolderTarget(tmp_path), ReleaseStore(releases(released))
    for month in MONTHS:
        store.upload(source.open(month))
    view = open_view("overview", tmp_path, monkeypatch)
    assert "outdated" not in [c.value.split()[2][:-1] for c in view.caption if "2023" in c.value]
    april = source.open(MONTHS[0])
    info = replace(april.info, upstream=april.info.upstream | {"daily_activity": "another"})
    files = {f.name: (april.folder / f.path).read_bytes() for f in april.manifest.files}
    store.publish(files, info)
    view = open_view("overview", tmp_path, monkeypatch)
    assert not view.exception
    assert "2023-05 is outdated: models trained on an earlier version of 2023-04." in text(view)


@pytest.mark.parametrize(
    ("last", "note"),
    [(date(2023, 5, 1), "May so far: 1"), (date(2023, 5, 12), "May so far: 1\N{EN DASH}12")],
)
def test_a_partial_month_says_its_days_so_far(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: date, note: str
) -> None:
    store, source = ReleaseStore(tmp_path), ReleaseStore(releases(released))
    for month, until in zip(MONTHS, (None, last), strict=True):
        found = source.open(month)
        files = {f.name: (found.folder / f.path).read_bytes() for f in found.manifest.files}
        store.publish(files, replace(found.info, partial_until=until))
    view = open_view("overview", tmp_path, monkeypatch)
    assert not view.exception
    assert f"**{note}.** The month has not ended" in text(view)
    assert f"2023-05 is partial: {note}; " in text(view)
    view.session_state["details"] = True
    view.run()
    assert frame(view, "checks")["month"].tolist() == ["2023-05 so far", "2023-04"]


def test_a_refused_month_is_in_the_calendar(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, source = FolderTarget(tmp_path / "origin"), ReleaseStore(releases(released))
    for month in MONTHS:
        store.upload(source.open(month))
    for table in (tmp_path / "origin" / "2023-05").glob("user_map-*.parquet"):
        table.write_bytes(b"damaged")
    app = open_app(tmp_path / "origin", monkeypatch).run()
    assert not app.exception
    assert "2023-05 is refused" in text(app)


def explained(view: AppTest, unit: str) -> Any:
    """The table of what each input added, in a unit, by input."""
    tables = [table for table in view.dataframe if "added" in table.value]
    (found,) = [table for table in tables if f"Added ({unit})" in table.proto.columns]
    return found.value.set_index("input")["added"]


def alternatives(view: AppTest) -> list[str]:
    """The alternative texts of the charts."""
    return [str(chart.proto.alt) for chart in view.get("vega_lite_chart")]


def test_what_each_input_added_sums_to_what_try_it_shows(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("try_it", releases(released), monkeypatch)
    view.number_input(key="calories-steps").set_value(15_000.0).run()
    view.number_input(key="activity-heart_rate_avg").set_value(110.0).run()
    assert not view.exception
    kcal, points = explained(view, "kcal"), explained(view, "points")
    for added in (kcal, points):
        assert added["Estimate (sum)"] == pytest.approx(added.drop("Estimate (sum)").sum())
    assert shown(view)["Estimated energy of the day"] == f"{kcal['Estimate (sum)']:,.0f} kcal"
    assert f"({points['Estimate (sum)']:.0f}%)" in shown(view)["Most probable activity"]
    assert kcal["Steps"] != 0
    assert "Age" not in kcal, "its field is empty"
    most = [title for title in alternatives(view) if title.startswith("Changed most by")]
    assert len(most) == 2


def test_my_days_explains_the_estimate_of_a_day(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("my_days", releases(released), monkeypatch)
    day = view.selectbox(key="day")
    first, last = explained(view, "kcal"), day.options[-1]
    day.select(last).run()
    assert not view.exception
    other = explained(view, "kcal")
    assert not other.equals(first)
    for added in (first, other):
        assert added["Estimate (sum)"] == pytest.approx(added.drop("Estimate (sum)").sum())


def test_the_card_of_each_model_is_shown_and_can_be_downloaded(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = open_view("models", releases(released), monkeypatch)
    of_release = release(released)
    classifier = metrics_of(of_release, "activity_classifier", ClassifierMetrics)
    regressor = metrics_of(of_release, "calorie_regressor", RegressorMetrics)
    for name, score in (
        ("Activity classifier", classifier.evaluation.scores.accuracy),
        ("Calorie regressor", regressor.evaluation.scores.r2),
    ):
        view.segmented_control(key="model").select(name).run()
        assert not view.exception
        (card,) = [each.value for each in view.markdown if "## Refusals" in each.value]
        assert f"| {score:.3f} |" in card
        assert "### Sex" in card
        (download,) = view.get("download_button")
        assert "Download the model card" in str(download.proto)


def test_of_many_users_some_are_listed_and_any_can_be_opened(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "_MOST_LISTED", 10)
    users = sorted(lake(released)["user_id"].unique())
    asked = users[-1]
    view = open_view("my_days", releases(released), monkeypatch, user=asked)
    assert not view.exception
    (listed,) = [box for box in view.selectbox if box.label == "User"]
    assert (len(listed.options), listed.value) == (11, asked)
    assert f"11 of {len(users)} users are listed" in text(view)


def test_views_of_distributions_say_that_they_are_of_a_sample(
    released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = release(released)
    files = {file.name: read_bytes(source.folder, file) for file in source.manifest.files}
    ReleaseStore(tmp_path).publish(files, replace(source.info, one_user_in=16))
    for name in ("explore", "data_quality"):
        assert "of one user in 16" in text(open_view(name, tmp_path, monkeypatch))
        assert "of one user in" not in text(open_view(name, releases(released), monkeypatch))
