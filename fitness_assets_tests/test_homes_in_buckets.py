"""Commands on a home whose months are in buckets: forgotten users, backups, growing months."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from fitness_assets.assets import daily_activity
from fitness_assets.assets.daily_activity import stage
from fitness_assets.cli.backup_runs import BackupOptions, back_up
from fitness_assets.cli.erasure import forget_user
from fitness_assets.cli.restore_runs import restore_home
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.sources.configured import configured_imports, configured_pseudonyms
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.spark.session import spark_resource
from fitness_assets.storage import rows
from fitness_assets.storage.backup_encryption import Secrets
from fitness_assets.storage.lake import Lake, RawInfo, describe, read_staged
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.storage.object_inventory import search_objects
from fitness_assets.storage.rows import write_delivered
from fitness_assets.storage.trace_search import search
from fitness_assets.storage.traces import Traces
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.platform import MONTHS, MakeSettings, materialize
from fitness_assets_tests.support.tidy import write_tidy

LAKE = ["raw_telemetry", "workouts", "daily_activity"]
MONTH = MONTHS[-1]
#: The users of the imports, whose rows need four buckets.
PEOPLE = ("anna", "bert", "cleo", "dora", "emil", "fritz")
DAYS = 10
KEY = [("user_id", "ascending"), ("date", "ascending")]

pytestmark = pytest.mark.spark


@pytest.fixture(autouse=True)
def small_buckets(
    monkeypatch: pytest.MonkeyPatch,
    spark: object,  # noqa: ARG001 - it is started before a run needs it
) -> None:
    for module in (rows, daily_activity):
        monkeypatch.setattr(module, "ROWS_PER_BUCKET", 2 * DAYS)
    monkeypatch.setattr(daily_activity, "ROWS_WITHOUT_SPARK", 0)


def deliver(settings: Settings, folder: Path, *people: str) -> None:
    """Import ten days of each of `people`, and materialize the lake of the month."""
    for number, name in enumerate(people):
        days = [
            f"{name},{MONTH}-{day:02d},{1000 * number + day},1900,66,7,walking"
            for day in range(1, DAYS + 1)
        ]
        path = write_tidy(folder / f"{name}.csv", *days)
        configured_imports(settings).add(path, ImportOptions())
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(settings, MONTH, instance, LAKE).success


@pytest.fixture
def environ() -> dict[str, str]:
    return {
        "FITNESS_SOURCE": "exports",
        "FITNESS_LEAST_COMPLETE": "0",
        "FITNESS_FIRST_MONTH": MONTH,
    }


@pytest.fixture
def object_home(
    object_store: S3Server, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """The settings of a home in an object store."""
    # The session was started before, so that its workers would not inherit them.
    for name, value in object_store.environ.items():
        monkeypatch.setitem(spark.sparkContext.environment, name, value)
    return {
        "FITNESS_HOME": object_store.use(monkeypatch),
        "FITNESS_STATE": str(tmp_path / "state"),
    }


@pytest.fixture(params=["disk", "object store"])
def settings(
    request: pytest.FixtureRequest,
    make_settings: MakeSettings,
    environ: dict[str, str],
    tmp_path: Path,
) -> Settings:
    if request.param == "object store":
        environ |= request.getfixturevalue("object_home")
    return make_settings(tmp_path / "home", **environ)


def traces_of(settings: Settings, name: str) -> Iterator[str]:
    """Where something of the user is left."""
    traces = Traces({configured_pseudonyms(settings).pseudonym(name)}, [name])
    yield from search(settings.home, traces)
    if isinstance(settings.storage, ObjectPath):
        yield from search_objects(settings.storage, traces)


def test_a_forgotten_user_leaves_the_own_bucket_and_no_other_changes(
    settings: Settings, tmp_path: Path
) -> None:
    deliver(settings, tmp_path, *PEOPLE)
    workspace = Workspace.of(settings)
    lakes = (workspace.raw, workspace.daily)
    user = configured_pseudonyms(settings).pseudonym("cleo")
    before = [
        (lake.published(MONTH), lake.scan([MONTH]).table, lake.bucket_of(user, MONTH).index)
        for lake in lakes
    ]
    assert any("daily_activity" in where for where in traces_of(settings, "cleo"))
    assert forget_user(settings, "cleo")
    assert list(traces_of(settings, "cleo")) == []
    for lake, (manifest, table, bucket) in zip(lakes, before, strict=True):
        assert lake.info(MONTH).bucket_count == 4
        found = lake.scan([MONTH]).table.sort_by(KEY).combine_chunks()
        others = table.filter(pc.not_equal(table["user_id"], user)).sort_by(KEY)
        assert found.equals(others.combine_chunks())
        files = zip(manifest.files, lake.published(MONTH).files, strict=True)
        changed = [number for number, (old, new) in enumerate(files) if old != new]
        assert changed == [bucket]


def test_a_month_grows_and_shrinks_and_is_restored_with_its_buckets(
    make_settings: MakeSettings,
    environ: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = make_settings(tmp_path / "home", **environ)
    workspace = Workspace.of(settings)
    counts = []
    for people in (PEOPLE[:1], PEOPLE[1:]):
        deliver(settings, tmp_path, *people)
        counts.append([lake.info(MONTH).bucket_count for lake in (workspace.raw, workspace.daily)])
        back_up(settings, str(tmp_path / "backup"), BackupOptions(verify=True))
    assert counts == [[1, 1], [4, 4]]
    stored = {path.name for path in (tmp_path / "backup").rglob("*/*/*")}
    for name in PEOPLE[:2]:
        # It updates the backup, too.
        assert forget_user(settings, name)
    assert workspace.raw.info(MONTH).bucket_count == workspace.daily.info(MONTH).bucket_count == 2
    assert not {path.name for path in (tmp_path / "backup").rglob("*/*/*")} >= stored
    other = make_settings(tmp_path / "other", **environ)
    restore_home(other, str(tmp_path / "backup"), Secrets(()), None)
    restored = Workspace.of(other)
    assert restored.raw.published(MONTH) == workspace.raw.published(MONTH)
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(other, MONTH, instance, LAKE).success
    for lake in ("raw_telemetry", "daily_activity"):
        assert restored.manifest(lake, MONTH) == workspace.manifest(lake, MONTH)
    assert "forgotten" not in capsys.readouterr().err


def test_a_month_of_few_days_is_cleaned_in_buckets_if_the_month_before_is_large(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cohort, lake = Cohort(users=40, seed=1), Lake(tmp_path / "raw", RawInfo)
    first_day = date.fromisoformat(f"{MONTH}-01")

    def delivered(month: str) -> Iterator[pa.RecordBatch]:
        for batch in cohort.read(month):
            yield batch if month != MONTH else batch.filter(pc.equal(batch["date"], first_day))

    monkeypatch.setattr(rows, "ROWS_PER_BUCKET", 160)
    for month in MONTHS:
        with lake.writer(month) as writer:
            write_delivered(writer.staging, delivered(month))
            found = describe(writer.staging)
            writer.publish(RawInfo(rows=found.rows, columns=found.columns, buckets=found.buckets))
    assert [lake.info(month).bucket_count for month in MONTHS] == [8, 1]
    spark = spark_resource(make_settings(tmp_path))
    tables = []
    for most, count in ((160, 4), (10_000, 1)):
        monkeypatch.setattr(daily_activity, "ROWS_PER_BUCKET", most)
        staging = tmp_path / str(most)
        staging.mkdir()
        stage(lake, spark, MONTH, staging)
        assert len(list(staging.glob("*.parquet"))) == count
        columns = ["user_id", "date", "steps", "steps_mean_28d"]
        tables.append(read_staged(staging, columns).sort_by(KEY).combine_chunks())
    assert tables[0]["date"].to_pylist() == [first_day] * 40
    assert tables[0].equals(tables[1])
