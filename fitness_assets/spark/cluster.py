"""The daemons of a standalone Spark cluster: a master, and the workers that it assigns work to."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from fitness_assets.settings import Settings
from fitness_assets.spark.java import find_java

# A worker deletes the files of a finished application after a day.
_CLEANUP = "-Dspark.worker.cleanup.enabled=true -Dspark.worker.cleanup.appDataTtl=86400"


def exec_daemon(
    settings: Settings, role: Literal["Master", "Worker"], arguments: Sequence[str]
) -> NoReturn:
    """Replace this process by a Spark daemon, on the Java that sessions run on.

    Parameters
    ----------
    settings : Settings
        The Java, and the home below which a worker writes the logs of its executors.
    role : {"Master", "Worker"}
    arguments : sequence of str
        Command-line arguments of the daemon.

    Raises
    ------
    OSError
        If a worker cannot write to its folder. Spark would say so in a Java stack trace.
    """
    import pyspark

    work = settings.home / "spark"
    if role == "Worker":
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=work):
            pass
    environment = settings.environment()
    environment["JAVA_HOME"] = str(find_java(settings.java_home, settings.home / "java").home)
    environment.setdefault("SPARK_WORKER_DIR", str(work))
    environment.setdefault("SPARK_WORKER_OPTS", _CLEANUP)
    program = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    daemon = f"org.apache.spark.deploy.{role.lower()}.{role}"
    os.execve(program, [program, daemon, *arguments], environment)  # noqa: S606 - needs no shell
