"""The classes that Spark loads, kept ready to run, so that a session starts in half the time.

``python -m fitness_assets.spark.class_archive`` makes the archive, beside the environment that
it belongs to. It fits one Java runtime and one Spark, and without it everything works, slower.
"""

import hashlib
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from fitness_assets.spark.java import Java

# From this Java on there is an archive that keeps classes linked as well (JEP 483, JEP 514).
_AHEAD_OF_TIME = 25
_MAKING_TAKES_AT_MOST = 600


def options(java: Java) -> list[str]:
    """What to pass to `java` so that it uses the archive; nothing where none was made."""
    path = _path(java)
    if not path.is_file():
        return []
    name = "AOTCache" if java.major >= _AHEAD_OF_TIME else "SharedArchiveFile"
    # An archive that has come not to fit is passed over, and nobody needs to be warned of it.
    return [f"-XX:{name}={path}", "-Xlog:disable", "-Xlog:all=error:stderr"]


def make() -> Path:
    """Take a small month through Spark and keep the classes that this needed."""
    from fitness_assets.etl import clean
    from fitness_assets.record.raw import SCHEMA
    from fitness_assets.settings import Settings
    from fitness_assets.sources.cohort.source import Cohort
    from fitness_assets.spark.session import spark_resource
    from fitness_assets.storage.lake import write_rows

    resource = spark_resource(Settings.from_env())
    java = resource.java()
    path = _path(java)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    name = "AOTCacheOutput" if java.major >= _AHEAD_OF_TIME else "ArchiveClassesAtExit"
    resource.spark_config["spark.driver.extraJavaOptions"] += (
        f" -XX:{name}={path} -Xlog:disable -Xlog:all=error:stderr"
    )
    with tempfile.TemporaryDirectory() as folder:
        session = resource.spark_session
        frames = []
        for month in ("2023-04", "2023-05"):
            raw = Path(folder) / f"{month}.parquet"
            write_rows(raw, Cohort(users=20, seed=1).read(month), SCHEMA)
            frames.append(clean.read_raw(session, [raw]))
        earlier, raw_days = frames
        days = clean.daily_activity(raw_days, clean.history(earlier))
        clean.write_files(days, Path(folder), write_rows)
        # PySpark has no other handle to the process that it started.
        jvm = session.sparkContext._gateway.proc  # noqa: SLF001
        session.stop()
    # The archive is written as the JVM ends.
    jvm.stdin.close()
    jvm.wait(_MAKING_TAKES_AT_MOST)
    return path


def _path(java: Java) -> Path:
    built = java.executable.stat().st_mtime_ns
    told = f"{java.executable} {built} {version('pyspark')}"
    name = hashlib.sha256(told.encode()).hexdigest()[:12]
    return Path(sys.prefix) / "share" / "fitness_assets" / f"spark-{name}.jsa"


if __name__ == "__main__":
    made = make()
    print(f"{made}: {made.stat().st_size / 1e6:.0f} MB")  # noqa: T201 - its one word to the user
