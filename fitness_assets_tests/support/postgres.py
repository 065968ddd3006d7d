"""A PostgreSQL server of a test, which needs none on the machine but its programs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fitness_assets_tests.support.composed import find_postgres, postgres_user
from fitness_assets_tests.support.platform import free_port


@contextmanager
def running_postgres() -> Iterator[tuple[str, Path]]:
    """Start a server; yields the URL of its database and its folder.

    Skips the test if PostgreSQL is not installed.
    """
    programs, user = find_postgres(), postgres_user()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    # Not below a folder of pytest, which the user of the server may not enter.
    parent = Path(tempfile.mkdtemp(prefix="fitness-postgres-"))
    if user:
        shutil.chown(parent, user)
    folder, port = parent / "data", str(free_port())
    options = f"-h 127.0.0.1 -p {port} -k {parent} -c fsync=off"
    try:
        for program, *arguments in (
            ["initdb", "-U", "dagster", "-A", "trust", "--no-sync"],
            ["pg_ctl", "start", "-w", "-l", str(parent / "log"), "-o", options],
        ):
            subprocess.run(
                [programs / program, "-D", folder, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                user=user,
                env=os.environ,
                cwd=parent,
            )
        yield f"postgresql+psycopg2://dagster@127.0.0.1:{port}/postgres", folder
    finally:
        subprocess.run(
            [programs / "pg_ctl", "-D", folder, "-m", "immediate", "stop"],
            check=False,
            stdout=subprocess.DEVNULL,
            user=user,
            cwd=parent,
        )
        shutil.rmtree(parent)
