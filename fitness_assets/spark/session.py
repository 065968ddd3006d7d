"""The Spark session, started by the first asset that asks for it and by no other."""

import os
import sys
from pathlib import Path
from typing import Any

from dagster_pyspark import LazyPySparkResource

from fitness_assets.settings import Settings
from fitness_assets.spark import class_archive
from fitness_assets.spark.java import Java, find_java

_LOGGING = Path(__file__).with_name("log4j2.properties")


class SparkResource(LazyPySparkResource):
    """`LazyPySparkResource` that finds a Java first.

    Attributes
    ----------
    declared_java_home : str or None
        The ``JAVA_HOME`` of the machine.
    state : str
        Folder for the launcher of the packaged Java.
    """

    declared_java_home: str | None
    state: str

    def java(self) -> Java:
        """The Java that the session runs on."""
        declared = Path(self.declared_java_home) if self.declared_java_home else None
        return find_java(declared, Path(self.state))

    def _init_session(self) -> None:
        if self._spark_session is None:
            java = self.java()
            # PySpark starts the JVM by a script that takes its Java from here, and its workers with
            # the Python named here.
            jvm = {
                "JAVA_HOME": str(java.home),
                "PYSPARK_PYTHON": sys.executable,
            }
            if self.spark_config["spark.master"].startswith("local"):
                # Or Spark looks its own machine up by name, and in a container it may have none.
                jvm["SPARK_LOCAL_HOSTNAME"] = "localhost"
            os.environ.update(jvm)  # noqa: TID251 - for the script, not for us
            archive = " ".join(class_archive.options(java))
            self.spark_config["spark.driver.extraJavaOptions"] += f" {archive}"
        super()._init_session()


def spark_resource(settings: Settings) -> SparkResource:
    """The resource for the configured master."""
    local = settings.spark_master.startswith("local")
    java_options = [
        f"-Dlog4j2.configurationFile={_LOGGING}",
        # The method that Spark generates for a wide row is larger than HotSpot compiles unasked,
        # and is then interpreted, row after row.
        "-XX:-DontCompileHugeMethods",
    ]
    config: dict[str, Any] = {
        "spark.master": settings.spark_master,
        "spark.app.name": "fitness_assets",
        "spark.driver.memory": settings.spark_memory,
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Recording a call site for every column expression costs more than planning itself.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # Below the greatest value Spark adds up the size of a batch anew for each row that it
        # sends to Python; the number of rows bounds a batch already.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
    }
    if local:
        config |= {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
        }
        # On few cores the serial collector takes the least memory, and no more time.
        java_options.append("-XX:+UseSerialGC")
    config["spark.driver.extraJavaOptions"] = " ".join(java_options)
    config["spark.executor.extraJavaOptions"] = "-XX:-DontCompileHugeMethods"
    return SparkResource(
        spark_config=config,
        declared_java_home=str(settings.java_home) if settings.java_home else None,
        state=str(settings.home / "java"),
    )
