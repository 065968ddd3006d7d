"""An archive of the classes that Spark loads, which halves the time that a session takes to start.

``python -m fitness_assets.spark.build_archive`` writes it into the Python environment. It fits one
Java runtime and one version of Spark. Without it, or if it does not fit, Spark starts more slowly.
"""

import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

from fitness_assets.spark.java import Java

# From this version on Java has an archive that also keeps classes linked (JEP 483, JEP 514).
_AHEAD_OF_TIME = 25
# Java ignores an archive that does not fit; its warning is of no use to a user.
_NO_WARNINGS = ["-Xlog:disable", "-Xlog:all=error:stderr"]


def read_options(java: Java) -> list[str]:
    """The options that make `java` use its archive; none if there is no archive."""
    path = archive_path(java)
    if not path.is_file():
        return []
    name = "AOTCache" if java.major >= _AHEAD_OF_TIME else "SharedArchiveFile"
    return [f"-XX:{name}={path}", *_NO_WARNINGS]


def write_options(java: Java) -> list[str]:
    """The options that make `java` write its archive when it exits."""
    name = "AOTCacheOutput" if java.major >= _AHEAD_OF_TIME else "ArchiveClassesAtExit"
    return [f"-XX:{name}={archive_path(java)}", *_NO_WARNINGS]


def archive_path(java: Java) -> Path:
    """The archive of `java` and the installed Spark, in the Python environment."""
    modified = java.executable.stat().st_mtime_ns
    identity = f"{java.executable} {modified} {version('pyspark')}"
    name = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return Path(sys.prefix) / "share" / "fitness_assets" / f"spark-{name}.jsa"
