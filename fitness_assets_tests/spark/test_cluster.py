"""A standalone cluster that shares nothing with the run but the object store."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fitness_assets.settings import Settings
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.platform import MONTHS, MakeSettings, free_port, wait_for

WORKERS = 2
FITNESS = [sys.executable, "-c", "from fitness_assets.cli.main import main; main()"]


@contextmanager
def daemon(folder: Path, environ: dict[str, str], *arguments: str) -> Iterator[Path]:
    """A process of ``fitness spark``, in a folder of its own; yields its log."""
    folder.mkdir()
    own = {"TMPDIR": str(folder), "FITNESS_STATE": str(folder)}
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


@pytest.mark.slow
def test_a_month_is_cleaned_by_workers_without_a_shared_disk(
    released: Settings,
    make_settings: MakeSettings,
    object_store: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    url, port = object_store.use(monkeypatch), free_port()
    # The name of the machine may not resolve.
    local = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    environ = os.environ | local | {"FITNESS_HOME": url}
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
        wait_for(
            "the workers",
            lambda: log.read_text().count("Registering worker") == WORKERS,
        )
        run = environ | {
            "FITNESS_STATE": str(tmp_path / "run"),
            "FITNESS_SPARK_MASTER": master,
            "FITNESS_COHORT_USERS": str(released.cohort_users),
        }
        command = [*FITNESS, "backfill", MONTHS[0], "--select", "daily_activity"]
        subprocess.run(command, env=run, check=True)
    assert there.daily.published(MONTHS[0]) == here.daily.published(MONTHS[0])
    assert list(tmp_path.glob("worker-*/spark/app-*/*")), "the workers cleaned the month"
    # Nothing is left of what the executors uploaded.
    stored = there.raw.folder(MONTHS[0])
    assert isinstance(stored, ObjectPath)
    assert not [each.name for each in stored.store.list(stored.key) if "_staging" in each.name]
