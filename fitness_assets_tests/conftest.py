"""What tests share: a Spark session, and one small cohort taken through every stage."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from filelock import FileLock
from hypothesis import settings as hypothesis_settings
from pyspark.sql import SparkSession
from xdist.scheduler import LoadScopeScheduling

from fitness_assets.settings import Settings
from fitness_assets.spark.session import spark_resource
from fitness_assets_tests.support.platform import MONTHS, USERS, MakeSettings, materialize

# The same examples on every run, and no database of them in the source tree.
hypothesis_settings.register_profile("deterministic", derandomize=True, database=None)
hypothesis_settings.load_profile("deterministic")

# A JVM that is started for one small month ends before its optimizing compiler has paid off.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")


_TESTS = Path(__file__).parent
#: The modules whose tests need a Spark session, told by the fixtures that they name.
_ON_SPARK = {
    path.relative_to(_TESTS.parent).as_posix()
    for path in _TESTS.rglob("test_*.py")
    if re.search(r"\b(spark: SparkSession|usefixtures\(.spark.\))", path.read_text())
}


class _FewSessions(LoadScopeScheduling):  # type: ignore[misc]
    """Keep a module that needs Spark in one process, so that few processes start a session."""

    def _split_scope(self, nodeid: str) -> str:
        return _module(nodeid) if _module(nodeid) in _ON_SPARK else nodeid


def _module(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _FewSessions(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that nothing waits for it at the end."""
    longest = ("test_served", "test_backfills_outlive", "test_browser")

    def place(item: pytest.Item) -> int:
        found = (number for number, name in enumerate(longest) if name in item.nodeid)
        return next(found, len(longest) + (_module(item.nodeid) not in _ON_SPARK))

    items.sort(key=place)


@pytest.fixture(scope="session")
def make_settings() -> MakeSettings:
    """Settings of a small cohort below a home, with other environment variables as asked."""

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
    """The session that the platform itself would start."""
    session = spark_resource(make_settings(tmp_path_factory.mktemp("spark"))).spark_session
    yield session
    session.stop()


@pytest.fixture(scope="session")
def released(
    request: pytest.FixtureRequest,
    make_settings: MakeSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a home with both months taken through every stage. Do not write to it.

    The process that asks first makes it, for all the processes of this run.
    """
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # below which each process has its own
    settings = make_settings(folder / "released")
    with FileLock(folder / "released.lock"):
        if not (folder / "released.complete").exists():
            request.getfixturevalue("spark")  # it outlives every run
            with dg.DagsterInstance.ephemeral() as instance:
                for month in MONTHS:
                    assert materialize(settings, month, instance).success
            (folder / "released.complete").touch()
    return settings
