"""The Spark session, started by the first asset that asks for it and by no other."""

import os
from pathlib import Path
from typing import Any

from dagster_pyspark import LazyPySparkResource

from fitness_assets.resources.java import java_home
from fitness_assets.settings import Settings

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

    def _init_session(self) -> None:
        if self._spark_session is None:
            declared = Path(self.declared_java_home) if self.declared_java_home else None
            # PySpark starts the JVM by a script that takes its Java from here.
            jvm = {"JAVA_HOME": str(java_home(declared, Path(self.state)))}
            if self.spark_config["spark.master"].startswith("local"):
                # Or Spark looks its own machine up by name, and in a container it may have none.
                jvm["SPARK_LOCAL_HOSTNAME"] = "localhost"
            os.environ.update(jvm)  # noqa: TID251 - for the script, not for us
        super()._init_session()


def spark_resource(settings: Settings) -> SparkResource:
    """The resource for the configured master."""
    local = settings.spark_master.startswith("local")
    java_options = [f"-Dlog4j2.configurationFile={_LOGGING}"]
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
    }
    if local:
        config |= {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
        }
        # A local session lives for small jobs, where the full compiler costs more than it gives.
        java_options.append("-XX:TieredStopAtLevel=1")
    config["spark.driver.extraJavaOptions"] = " ".join(java_options)
    return SparkResource(
        spark_config=config,
        declared_java_home=str(settings.java_home) if settings.java_home else None,
        state=str(settings.home / "java"),
    )
