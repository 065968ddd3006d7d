"""Build the class archive of Spark: ``python -m fitness_assets.spark.build_archive``."""

import tempfile
from pathlib import Path

from fitness_assets.etl import distributed
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.spark import class_archive
from fitness_assets.spark.session import spark_resource
from fitness_assets.storage.parts import Part, read_part
from fitness_assets.storage.rows import part, write_delivered, write_rows

_TIMEOUT_SECONDS = 600


def build() -> Path:
    """Process one small month with Spark, and archive the classes that this loads."""
    resource = spark_resource(Settings.from_env())
    java = resource.java()
    path = class_archive.archive_path(java)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    options = " ".join(class_archive.write_options(java))
    resource.spark_config["spark.driver.extraJavaOptions"] += f" {options}"
    with tempfile.TemporaryDirectory() as folder:
        session = resource.spark_session
        raw = Path(folder) / "raw"
        raw.mkdir()
        write_delivered(raw, Cohort(users=20, seed=1).read("2023-04"))
        records = Part((raw / part(0),), None)
        distributed.write_files(
            session,
            [distributed.BucketInputs(records, records)],
            distributed.OptionalColumns((), ()),
            distributed.Access(Path(folder), read_part, write_rows),
        )
        # PySpark has no public handle of the JVM process.
        jvm = session.sparkContext._gateway.proc  # noqa: SLF001
        session.stop()
    # The JVM writes the archive when it exits.
    jvm.stdin.close()
    jvm.wait(_TIMEOUT_SECONDS)
    return path


if __name__ == "__main__":
    archive = build()
    print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB")  # noqa: T201 - a command
