"""Fixtures of all tests: a Spark session, and one small cohort with every stage materialized."""

import gc
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property, lru_cache
from pathlib import Path
from shutil import which
from types import MappingProxyType, SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from filelock import FileLock
from hypothesis import settings as hypothesis_settings
from pyspark.sql import SparkSession
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool
from xdist.scheduler import LoadScopeScheduling

from fitness_assets import memory
from fitness_assets.assets import compression_report, daily_activity, dashboard_release, model
from fitness_assets.release import model_loader
from fitness_assets.settings import Settings
from fitness_assets.spark.session import spark_resource
from fitness_assets.storage.locations import Location
from fitness_assets.storage.publication import write_atomically
from fitness_assets_tests.support.azurite import Azurite, running_azurite
from fitness_assets_tests.support.google_storage import GoogleStorage, running_google_storage
from fitness_assets_tests.support.object_store import S3Server, running_s3
from fitness_assets_tests.support.platform import MONTHS, USERS, MakeSettings, materialize
from fitness_assets_tests.support.seaweedfs import running_seaweedfs

# The same examples in every run, without a database of them in the source tree, and however slow.
hypothesis_settings.register_profile(
    "deterministic", derandomize=True, database=None, deadline=None
)
hypothesis_settings.load_profile("deterministic")

# Each new database of Dagster would read the files of all its revisions again.
ScriptDirectory.from_config = cache(ScriptDirectory.from_config)  # type: ignore[method-assign]


@lru_cache(maxsize=64)
def _engine(url: str, timeout: float) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"timeout": timeout})


def _same_engine(
    url: str, poolclass: type[NullPool], connect_args: Mapping[str, float] = MappingProxyType({})
) -> Engine:
    assert poolclass is NullPool, "no connection is shared"
    return _engine(url, connect_args.get("timeout", 5))


# Dagster makes an engine for each connection, which would compile each statement again.
for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
    vars(storage)["create_engine"] = _same_engine


# Tests kill processes, which loses nothing that the system has in its cache.
vars(os)["fsync"] = lambda _: None
# A test process does not return memory, which the next test would need again.
for stage in (compression_report, daily_activity, model):
    vars(stage)["collect_and_trim"] = lambda: None


@event.listens_for(Engine, "connect")
def _without_waiting_for_the_disk(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


# The JVM of a test ends before its optimizing compiler would save time.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")


#: In the process that distributes the tests: where the test processes name the modules that run
#: whole in one process, each with the name of its group, which is one process.
_WHOLE_MODULES = Path(tempfile.gettempdir()) / f"fitness-whole-modules-{os.getpid()}"


class _FewFixtures(LoadScopeScheduling):  # type: ignore[misc]
    """Run some modules whole in one process, so that few make their fixtures, and one starts Spark.

    The scheduler sees ids of tests and no markers: test processes name the modules in a file.
    Groups of xdist 3.8 (`--dist loadgroup`) do not work with pytest 9.2.
    """

    @cached_property
    def _whole_modules(self) -> dict[str, str]:
        lines = _WHOLE_MODULES.read_text().splitlines()
        return dict(line.split("\t") for line in lines)

    def _split_scope(self, nodeid: str) -> str:
        return self._whole_modules.get(nodeid.partition("::")[0], nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _FewFixtures(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["whole_modules"] = str(_WHOLE_MODULES)


def pytest_unconfigure() -> None:
    _WHOLE_MODULES.unlink(missing_ok=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run slow tests first and Spark tests next, so that no process waits for one at the end."""

    def order(item: pytest.Item) -> tuple[bool, bool]:
        return not item.get_closest_marker("slow"), not item.get_closest_marker("spark")

    items.sort(key=order)
    groups = {}
    for item in items:
        module = item.nodeid.partition("::")[0]
        if item.get_closest_marker("spark"):
            groups[module] = "spark"
        elif item.get_closest_marker("one_process"):
            groups[module] = module
        if not item.get_closest_marker("spark") and "spark" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid} uses the fixture spark without its marker")
    if hasattr(config, "workerinput"):
        path = Path(config.workerinput["whole_modules"])
        lines = [f"{module}\t{group}" for module, group in sorted(groups.items())]
        write_atomically(path, "\n".join(lines).encode())


def pytest_collectstart() -> None:
    """Collect no garbage while modules are imported, which leave hardly any."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _without_modules() -> Iterator[None]:
    """Leave the imported modules out of all collections of garbage."""
    with memory.without_old_garbage():
        yield
    # pytest collects garbage several times when it ends.
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _without_old_garbage() -> None:
    """Leave what modules and earlier tests hold out of all later collections of garbage.

    Each would visit a million objects, and a month that a test materializes has three of them.
    """
    _, *older = gc.get_count()
    if any(older):  # a few small tests leave nothing
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """Restore the main module: AppTest replaces it, and spawned processes would run its script."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@contextmanager
def _measurement(_: int) -> Iterator[Callable[[Location, str], list[model_loader.Step]]]:
    yield lambda folder, month: model_loader._load_and_predict(folder, month, 10**12)


@pytest.fixture(autouse=True)
def _models_are_loaded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the models of a new release in the process of the test.

    A new process, which the fixture `released` and processes of commands start, imports libraries
    for two seconds.
    """
    here = SimpleNamespace(measurement=_measurement)
    monkeypatch.setattr(dashboard_release, "model_loader", here)


@pytest.fixture(scope="session")
def make_settings() -> MakeSettings:
    """Build settings of a small cohort, below a home and with other environment variables."""

    def make(home: Path, **environ: str) -> Settings:
        defaults = {
            "FITNESS_HOME": str(home),
            "FITNESS_LAST_MONTH": MONTHS[-1],
            "FITNESS_COHORT_USERS": str(USERS),
        }
        java = {"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}
        return Settings.from_env({**defaults, **java, **environ})

    return make


@pytest.fixture(scope="session")
def spark(
    make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkSession]:
    """The session that the platform would start."""
    session = spark_resource(make_settings(tmp_path_factory.mktemp("spark"))).spark_session
    yield session
    session.stop()


@pytest.fixture(scope="session")
def object_store() -> Iterator[S3Server]:
    """An S3 server; `object_store.use(monkeypatch)` is the URL of an empty prefix on it."""
    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Another S3 server, with atomic conditional writes; it takes seconds to start."""
    program = which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("SeaweedFS is not installed")
    with running_seaweedfs(program, tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def google_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleStorage]:
    """A server with the API of Google Cloud Storage."""
    with running_google_storage(tmp_path_factory.mktemp("google-storage")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """An emulator of Azure Blob Storage."""
    program = which("azurite-blob")
    if program is None:
        pytest.skip("Azurite is not installed (npm install --global azurite)")
    with running_azurite(program, tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture(scope="session")
def released(
    request: pytest.FixtureRequest,
    make_settings: MakeSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a home with every stage of both months. Tests must not write to it.

    The first process that requests it materializes it for all processes of the test run.
    """
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # shared by the processes
    settings = make_settings(folder / "released")
    with FileLock(folder / "released.lock"):
        if not (folder / "released.complete").exists():
            with dg.DagsterInstance.ephemeral() as instance:
                for month in MONTHS:
                    assert materialize(settings, month, instance).success
            (folder / "released.complete").touch()
    return settings
