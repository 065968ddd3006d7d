"""The daemons of a standalone Spark cluster, and the executors of Spark on Kubernetes."""

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from fitness_assets.errors import SettingsError
from fitness_assets.settings import Settings
from fitness_assets.spark.class_archive import read_options
from fitness_assets.spark.host_name import require_host_name
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
    SettingsError
        If the name of the machine does not resolve, where Spark requires it.
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
    require_host_name(environment)
    java = find_java(settings.java_home, settings.home / "java")
    environment["JAVA_HOME"] = str(java.home)
    declared = environment.get("SPARK_DAEMON_JAVA_OPTS", "")
    environment["SPARK_DAEMON_JAVA_OPTS"] = " ".join([declared, *read_options(java)])
    environment.setdefault("SPARK_WORKER_DIR", str(work))
    environment.setdefault("SPARK_WORKER_OPTS", _CLEANUP)
    program = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    daemon = f"org.apache.spark.deploy.{role.lower()}.{role}"
    os.execve(program, [program, daemon, *arguments], environment)  # noqa: S606 - needs no shell


#: What Spark on Kubernetes sets for the container of an executor, by the option that takes it. The
#: same as in the entry point of Spark's own image.
_EXECUTOR = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--hostname": "SPARK_EXECUTOR_POD_IP",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
    "--podName": "SPARK_EXECUTOR_POD_NAME",
}
_MEMORY = "SPARK_EXECUTOR_MEMORY"
_JAVA_OPTION = re.compile(r"SPARK_JAVA_OPT_(\d+)")


def exec_executor(settings: Settings) -> NoReturn:
    """Replace this process by an executor of Spark on Kubernetes, as its driver declares it.

    Raises
    ------
    SettingsError
        If a variable is missing that Spark sets in the pods that it creates.
    """
    import pyspark

    environment = settings.environment()
    missing = [name for name in (*_EXECUTOR.values(), _MEMORY) if name not in environment]
    if missing:
        raise SettingsError(
            f"{', '.join(missing)} not set: Spark sets them in the pods of its executors, and "
            "starts this command there"
        )
    found = ((_JAVA_OPTION.fullmatch(name), value) for name, value in environment.items())
    options = sorted((int(match[1]), value) for match, value in found if match)
    jars = Path(pyspark.__file__).parent / "jars"
    java = find_java(settings.java_home, settings.home / "java").home
    program = str(java / "bin" / "java")
    command = [
        program,
        *(value for _, value in options),
        *(f"{option}{environment[_MEMORY]}" for option in ("-Xms", "-Xmx")),
        *("-cp", f"{environment.get('SPARK_CONF_DIR', '')}:{jars}/*"),
        "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend",
        *(part for option, name in _EXECUTOR.items() for part in (option, environment[name])),
    ]
    os.execve(program, command, environment | {"JAVA_HOME": str(java)})  # noqa: S606 - needs no shell
