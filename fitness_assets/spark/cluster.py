"""The daemons of a Spark cluster of one's own: a master, and workers that it gives work to."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from fitness_assets.settings import Settings
from fitness_assets.spark.java import find_java

# A worker removes what runs left in its folder after a day.
_CLEANUP = "-Dspark.worker.cleanup.enabled=true -Dspark.worker.cleanup.appDataTtl=86400"


def exec_daemon(
    settings: Settings, role: Literal["Master", "Worker"], arguments: Sequence[str]
) -> NoReturn:
    """Turn this process into a daemon of Spark, on the Java that sessions run on.

    Parameters
    ----------
    settings : Settings
        The Java, and the home below which a worker keeps the logs of what it runs.
    role : {"Master", "Worker"}
    arguments : sequence of str
        For the daemon, as Spark knows them.
    """
    import pyspark

    work = settings.home / "spark"
    environment = settings.environment()
    environment["JAVA_HOME"] = str(find_java(settings.java_home, settings.home / "java").home)
    environment.setdefault("SPARK_WORKER_DIR", str(work))
    environment.setdefault("SPARK_WORKER_OPTS", _CLEANUP)
    start = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    daemon = f"org.apache.spark.deploy.{role.lower()}.{role}"
    os.execve(start, [start, daemon, *arguments], environment)  # noqa: S606 - no shell is wanted
