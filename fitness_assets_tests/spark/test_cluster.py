"""A standalone cluster that shares nothing with the run but the object store."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fitness_assets.settings import Settings
from fitness_assets.spark.class_archive import read_options
from fitness_assets.spark.session import spark_resource
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.platform import (
    MONTHS,
    QUICK_JAVA,
    MakeSettings,
    free_port,
    wait_for,
)
from fitness_assets_tests.support.wheel import find_uv, install

WORKERS = 2
FITNESS = [sys.executable, "-c", "from fitness_assets.cli.main import main; main()"]


@contextmanager
def daemon(folder: Path, environ: dict[str, str], *arguments: str) -> Iterator[Path]:
    """A process of ``fitness spark``, in a folder of its own; yields its log."""
    folder.mkdir()
    own = {"TMPDIR": str(folder), "FITNESS_STATE": str(folder)}
    # Its Python imports nothing from the checkout, and the files of what it imports show it.
    unset = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    environ = {name: value for name, value in environ.items() if name not in unset}
    own |= dict.fromkeys(("SPARK_MASTER_WEBUI_PORT", "SPARK_WORKER_WEBUI_PORT"), str(free_port()))
    command = [*FITNESS, "spark", *arguments]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environ | own, stdout=output, stderr=output
        )
    try:
        yield log
    finally:
        process.kill()
        process.wait(60)


def environment_archive(folder: Path) -> dict[str, str]:
    """The variables by which a run sends its workers an archive of an environment."""
    with tarfile.open(folder / "environment.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(install(folder), ".")
    (folder / "spark-defaults.conf").write_text(
        f"spark.archives {folder}/environment.tar.gz#environment\n"
    )
    return {"SPARK_CONF_DIR": str(folder), "PYSPARK_PYTHON": "./environment/bin/python"}


@pytest.mark.slow
@pytest.mark.skipif(find_uv() is None, reason="no uv (`make setup` installs it)")
def test_a_month_is_cleaned_by_workers_without_a_shared_disk(
    released: Settings,
    make_settings: MakeSettings,
    object_store: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    url, port = object_store.use(monkeypatch), free_port()
    (tmp_path / "shipped").mkdir()
    # The name of the machine may not resolve, which Spark requires with keys in variables.
    local = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    environ = os.environ | QUICK_JAVA | local | {"FITNESS_HOME": url}
    keys = {name: environ.pop(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    profile = tmp_path / "credentials"
    lines = ["[default]", *(f"{name.lower()} = {key}" for name, key in keys.items())]
    profile.write_text("\n".join(lines))
    environ["AWS_SHARED_CREDENTIALS_FILE"] = str(profile)
    settings = make_settings(tmp_path, FITNESS_HOME=url, FITNESS_STATE=str(tmp_path / "run"))
    here, there = Workspace.of(released), Workspace.of(settings)
    with here.raw.writer(MONTHS[0]) as _, there.raw.writer(MONTHS[0]) as writer:
        manifest = here.raw.published(MONTHS[0])
        for file in manifest.files:
            content = (here.raw.folder(MONTHS[0]) / file.path).read_bytes()
            (writer.staging / file.name).write_bytes(content)
        writer.publish(manifest.info, manifest.inputs)
    master = f"spark://127.0.0.1:{port}"
    with ExitStack() as daemons:
        options = ["master", "--host", "127.0.0.1", "--port", str(port)]
        log = daemons.enter_context(daemon(tmp_path / "master", environ, *options))
        for number in range(WORKERS):
            options = ["worker", master, "--cores", "1", "--memory", "1g"]
            daemons.enter_context(daemon(tmp_path / f"worker-{number}", environ, *options))
        # A worker whose answer is late registers again.
        registered = re.compile("Registering worker (\\S+)")
        wait_for("the workers", lambda: len(set(registered.findall(log.read_text()))) == WORKERS)
        run = environ | {
            "FITNESS_STATE": str(tmp_path / "run"),
            "FITNESS_SPARK_MASTER": master,
            "FITNESS_COHORT_USERS": str(released.cohort_users),
            **environment_archive(tmp_path / "shipped"),
        }
        command = [*FITNESS, "backfill", MONTHS[0], "--select", "daily_activity"]
        subprocess.run(command, env=run, check=True)
    assert there.daily.published(MONTHS[0]) == here.daily.published(MONTHS[0])
    launched = [(tmp_path / f"worker-{number}" / "log").read_text() for number in range(WORKERS)]
    archive = read_options(spark_resource(released).java())
    assert all(f'"{option}"' in log for option in archive for log in launched)
    cleaned = "worker-*/spark/app-*/*/environment/lib/python*/site-packages/fitness_assets/etl"
    assert list(tmp_path.glob(f"{cleaned}/__pycache__/distributed.*")), "by the package of the run"
    # Nothing is left of what the executors uploaded.
    stored = there.raw.folder(MONTHS[0])
    assert isinstance(stored, ObjectPath)
    assert not [each.name for each in stored.store.list(stored.key) if "_staging" in each.name]
