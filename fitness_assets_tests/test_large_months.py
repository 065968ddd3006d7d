"""Months in buckets through every stage: the same rows, models of a sample, tables of everyone."""

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fitness_assets.answers import records
from fitness_assets.assets import daily_activity, dashboard_release, model
from fitness_assets.errors import QuestionError
from fitness_assets.models.cards import card
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.registry import MODELS
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.record.buckets import Bucket
from fitness_assets.release import build
from fitness_assets.settings import Settings
from fitness_assets.storage import rows
from fitness_assets.storage.lake import Lake, Scan
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.opening import VIEWS, open_view
from fitness_assets_tests.support.platform import MONTHS, MakeSettings, materialize

USERS = 240
LAKE = ["raw_telemetry", "daily_activity"]
KEY = [("user_id", "ascending"), ("date", "ascending")]

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def homes(
    make_settings: MakeSettings,
    tmp_path_factory: pytest.TempPathFactory,
    spark: object,  # noqa: ARG001 - it is started before a run needs it
) -> tuple[Settings, Settings]:
    """The lake of two months in one file a month, and two months in buckets with every stage."""
    plain, bucketed = (
        make_settings(tmp_path_factory.mktemp(name), FITNESS_COHORT_USERS=str(USERS))
        for name in ("plain", "bucketed")
    )
    with dg.DagsterInstance.ephemeral() as instance:
        for month in MONTHS:
            assert materialize(plain, month, instance, LAKE).success
    with dg.DagsterInstance.ephemeral() as instance, pytest.MonkeyPatch.context() as patch:
        for module in (rows, daily_activity):
            patch.setattr(module, "ROWS_PER_BUCKET", 2_500)
        patch.setattr(daily_activity, "ROWS_WITHOUT_SPARK", 0)
        patch.setattr(model, "MAX_ROWS", 8_000)
        patch.setattr(dashboard_release, "MAX_ROWS", 4_000)
        patch.setattr(build, "_ROWS_PER_FILE", 2_000)
        assert materialize(bucketed, MONTHS[0], instance, LAKE).success
        assert materialize(bucketed, MONTHS[1], instance).success
    return plain, bucketed


def test_buckets_change_no_row(homes: tuple[Settings, Settings]) -> None:
    plain, bucketed = (Workspace.of(settings) for settings in homes)
    for month in MONTHS:
        assert bucketed.raw.info(month).bucket_count == bucketed.daily.info(month).bucket_count == 4
        assert plain.daily.info(month).bucket_count == 1
        found, expected = (
            each.daily.scan([month]).table.sort_by(KEY).combine_chunks()
            for each in (bucketed, plain)
        )
        assert found.equals(expected)


def test_models_read_a_sample_and_segments_have_everyone(homes: tuple[Settings, Settings]) -> None:
    workspace = Workspace.of(homes[1])
    users = pc.unique(workspace.daily.scan(MONTHS, ["user_id"]).table["user_id"])
    sampled = int(Bucket(0, 2).contains(pa.chunked_array([users])).sum())
    assert 0 < sampled < USERS
    for spec in MODELS:
        report = workspace.models[spec.name].report(MONTHS[1])
        assert report.learned, report.reason
        assert report.one_user_in == 2
        assert "a sample: one in 2" in card(spec, MONTHS[1], report)
        if isinstance(report.metrics, ClassifierMetrics | RegressorMetrics):
            evaluated = report.metrics.evaluation.users
            assert report.metrics.train_users + evaluated <= sampled
    segments = workspace.models["segment_model"]
    metrics = segments.report(MONTHS[1]).metrics
    assert isinstance(metrics, SegmentMetrics)
    table = segments.table(MONTHS[1], "segments")
    assert table is not None
    assert len(table) == metrics.users > 0.9 * USERS
    assert table["user_id"].is_monotonic_increasing
    assert sum(profile.users for profile in metrics.profiles) in (0, metrics.users)


def test_a_release_has_the_days_of_everyone_in_parts(homes: tuple[Settings, Settings]) -> None:
    workspace = Workspace.of(homes[1])
    release = workspace.releases.open(MONTHS[1])
    assert release.info.summary.users == USERS
    assert release.info.summary.records == workspace.daily.info(MONTHS[1]).rows
    assert release.info.one_user_in == 2
    days = workspace.daily.scan([MONTHS[1]]).table
    assert sum(file.name.startswith("user_days-") for file in release.manifest.files) == 4
    user = days["user_id"][0].as_py()
    own = days.filter(pc.equal(days["user_id"], user))
    assert release.table("user_days", user=user)["steps"].tolist() == pytest.approx(
        own["steps"].to_pandas().tolist(), nan_ok=True
    )
    for name in ("segments", "user_map"):
        assert sum(file.name.startswith(f"{name}-") for file in release.manifest.files) == 4
        assert len(release.table(name, user=user)) <= 1
        assert len(release.table(name)) > 0.9 * USERS
    weeks = release.table("summaries", user=user)
    assert set(weeks["user_id"]) == {user}


@pytest.mark.parametrize("name", VIEWS)
def test_views_show_a_release_in_parts(
    name: str,
    homes: tuple[Settings, Settings],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The test process also holds the platform and data of other tests.
    monkeypatch.setenv("FITNESS_MEMORY", str(10**12))
    view = open_view(name, homes[1].home / "releases", monkeypatch)
    assert not view.exception
    assert not [each for each in caplog.records if each.name == "dashboard.page"]
    if name in {"my_days", "my_years"}:
        (users,) = [box.options for box in view.selectbox if box.key == "user"]
        assert users == sorted(users)
        assert len(users) == USERS
        view.selectbox(key="user").set_value(users[-1]).run()
        assert not view.exception


def test_a_question_about_one_user_reads_their_bucket(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, month = Workspace.of(homes[1]).daily, MONTHS[1]
    days = lake.scan([month], ["user_id", "date"]).table
    user = days["user_id"][-1].as_py()
    read, version, _ = records.read_month(lake, month, ["user_id", "date"], user=user)
    assert version == lake.published(month).data_version
    assert len(read) < len(days) / 2
    for table in (read, days):
        assert len(table.filter(pc.equal(table["user_id"], user))) == 31
    monkeypatch.setattr(records, "MAX_ROWS", len(days) // 2)
    assert records.bounded(lake, [month], user) == [month]
    with pytest.raises(QuestionError, match="ask for fewer months"):
        records.bounded(lake, [month])


def test_a_user_is_found_in_a_home_of_more_rows_than_a_question_may_read(
    homes: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Workspace.of(homes[1]).daily
    found = records.Records(
        daily=lake,
        workouts=Workspace.of(homes[1]).workouts,
        possible_ids=lambda name: [name],
        is_forgotten=lambda _: False,
    )
    rows_of_a_month = lake.info(MONTHS[1]).rows
    monkeypatch.setattr(records, "MAX_ROWS", rows_of_a_month // 2)
    users = pc.unique(lake.scan([MONTHS[1]], ["user_id"]).table["user_id"]).to_pylist()
    user = users[-1]
    read: list[int] = []
    scan = Lake.scan

    def counted(*given: object, **named: object) -> Scan:
        answer = scan(*given, **named)  # type: ignore[arg-type]
        read.append(len(answer.table))
        return answer

    monkeypatch.setattr(Lake, "scan", counted)
    own = found.of(user)
    assert own.only == user
    period = own.newest_month(user)
    assert period.months() == [MONTHS[1]]
    assert len(own.read(user, period).table) == 31
    assert len(read) == 3
    assert max(read) < rows_of_a_month / 2
    # A message names some users, which is no reason to read all of them.
    with pytest.raises(QuestionError, match="there is no user called 'nobody'; the lake has"):
        found.find_user("nobody")
    with pytest.raises(QuestionError, match="the lake has several users"):
        found.find_user(None)
    assert max(read) <= rows_of_a_month / 2
    with pytest.raises(QuestionError, match="ask for fewer months"):
        found.people()
