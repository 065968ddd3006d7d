"""The Spark session, which starts when an asset first uses it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster_pyspark import LazyPySparkResource

from fitness_assets.settings import Settings
from fitness_assets.spark import class_archive
from fitness_assets.spark.host_name import require_host_name
from fitness_assets.spark.java import Java, find_java

_LOGGING = Path(__file__).with_name("log4j2.properties")


class SparkResource(LazyPySparkResource):
    """A `LazyPySparkResource` that first finds a Java.

    Attributes
    ----------
    declared_java_home : str or None
        The ``JAVA_HOME`` of the machine.
    state : str
        Folder for the launcher of the packaged Java.
    """

    declared_java_home: str | None
    state: str

    @property
    def is_local(self) -> bool:
        """Whether Spark runs in the process of the run, and not on a cluster."""
        return str(self.spark_config["spark.master"]).startswith("local")

    def java(self) -> Java:
        """The Java that the session runs on."""
        declared = Path(self.declared_java_home) if self.declared_java_home else None
        return find_java(declared, Path(self.state))

    def _init_session(self) -> None:
        from pyspark import SparkContext

        if self._spark_session is None:
            if SparkContext._gateway is None:  # noqa: SLF001 - the JVM is not running yet
                require_host_name(os.environ)  # noqa: TID251 - the JVM inherits it
            java = self.java()
            # The script by which PySpark starts the JVM reads JAVA_HOME; executors start the Python
            # of PYSPARK_PYTHON, which on a cluster may be of an environment that is sent to them.
            declared = None if self.is_local else os.environ.get("PYSPARK_PYTHON")  # noqa: TID251
            jvm = {
                "JAVA_HOME": str(java.home),
                "PYSPARK_PYTHON": declared or sys.executable,
                # Workers run `python -m`: a module in the working folder must not hide another.
                "PYTHONSAFEPATH": "1",
            }
            if self.is_local:
                # Without it Spark resolves the host name, which fails in some containers.
                jvm["SPARK_LOCAL_HOSTNAME"] = "localhost"
            if not _is_utf8(os.environ):  # noqa: TID251 - the script inherits it
                # Java decodes paths by the locale. Python uses UTF-8 for them under C and POSIX.
                jvm["LC_ALL"] = "C.UTF-8"
            os.environ.update(jvm)  # noqa: TID251 - for the script
            archive = " ".join(class_archive.read_options(java))
            # Executors on a machine without it ignore it.
            for process in ("driver", "executor"):
                self.spark_config[f"spark.{process}.extraJavaOptions"] += f" {archive}"
        super()._init_session()


def _is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale of the environment has the encoding by which Python encodes paths."""
    names = (environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "C").lower().replace("-", "")
    # A process with another encoding of paths is left as it is.
    return "utf8" in locale or sys.getfilesystemencoding() != "utf-8"


def spark_resource(settings: Settings) -> SparkResource:
    """The resource for the configured master."""
    local = settings.spark_master.startswith("local")
    java_options = [
        f"-Dlog4j2.configurationFile={_LOGGING}",
        # The method that Spark generates for a wide row exceeds the size that HotSpot compiles by
        # default, and would be interpreted for each row.
        "-XX:-DontCompileHugeMethods",
    ]
    config: dict[str, Any] = {
        "spark.master": settings.spark_master,
        "spark.app.name": "fitness_assets",
        "spark.driver.memory": settings.spark_memory,
        "spark.sql.session.timeZone": "UTC",
        # A worker that waits for another task would keep the memory of the last one. Starting one
        # takes 0.1 s, a task seconds.
        "spark.python.worker.reuse": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Recording the call site of every column expression takes longer than planning.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # With any smaller value Spark computes the size of the batch after each row that it sends
        # to Python. The number of rows already bounds a batch.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
    }
    if local:
        config |= {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(os.cpu_count() or 2),
        }
        # On few cores the serial collector uses the least memory and takes no more time.
        java_options.append("-XX:+UseSerialGC")
    config["spark.driver.extraJavaOptions"] = " ".join(java_options)
    config["spark.executor.extraJavaOptions"] = "-XX:-DontCompileHugeMethods"
    return SparkResource(
        spark_config=config,
        declared_java_home=str(settings.java_home) if settings.java_home else None,
        state=str(settings.home / "java"),
    )
