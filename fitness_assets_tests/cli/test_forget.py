"""Export and removal of all data of one user, with real runs and an upload target."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from fitness_assets.cli import erasure
from fitness_assets.cli.erasure import forget_user
from fitness_assets.cli.personal_data import export_user
from fitness_assets.cli.runs import run_months, run_stale, select_assets
from fitness_assets.definitions import build_defs
from fitness_assets.errors import SourceError
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.orchestration.instance import open_instance
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
from fitness_assets.sources import inbox
from fitness_assets.sources.configured import (
    configured_imports,
    configured_names,
    configured_notes,
    configured_pseudonyms,
)
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.notes import Note
from fitness_assets.storage.trace_search import search
from fitness_assets.storage.traces import Traces
from fitness_assets.workspace import ASSETS, Workspace
from fitness_assets_tests.support.drive_emulator import DriveEmulator
from fitness_assets_tests.support.platform import MakeSettings
from fitness_assets_tests.support.tidy import write_tidy
from fitness_assets_tests.support.whoop import write_workouts

MONTHS = ["2023-04", "2023-05", "2023-06"]
ZOE = "Zoë Quill"
ZOE_DECOMPOSED = unicodedata.normalize("NFD", ZOE)
DELIVERED = datetime(2024, 1, 1, tzinfo=UTC)
#: Forget a user, and die by SIGKILL before anything is rematerialized.
KILLED = """
import os, signal, sys
from fitness_assets.cli import erasure
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
erasure.run_and_report = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
erasure.forget_user(Settings.from_env(), sys.argv[1])
"""


# So few users rarely deliver a complete month.
ENVIRONMENT = {
    "FITNESS_SOURCE": "exports",
    "FITNESS_LEAST_COMPLETE": "0",
    "FITNESS_LAST_MONTH": MONTHS[-1],
}


def days(user: str, first: str, count: int, steps: int) -> list[str]:
    start = date.fromisoformat(first)
    return [
        f"{user},{start + timedelta(days=day)},{steps + 10 * day},1900,66,7,walking"
        for day in range(count)
    ]


def workouts(folder: Path, name: str) -> Path:
    """A file with one workout of May."""
    row = f"2023-05-0{len(name)} 18:00:00,30,Walking,130,121,104,2400"
    return write_workouts(folder / f"workouts of {name}.csv", row)


def note(user: str, text: str) -> Note:
    day = date(2023, 5, 3)
    return Note(id=user, user=user, kind="illness", first=day, last=day, text=text)


#: What `versions` lists, without private bundles.
RELEASED = [
    *("raw_telemetry", "daily_activity", "workouts", "person_history", *MODEL_NAMES),
    *("model_backtest", "dashboard_release"),
]
ANNA = days("anna", "2023-05-01", 9, 4000)
BERT = days("bert", "2023-05-03", 40, 6000)


def versions(settings: Settings) -> dict[str, str]:
    """Data versions of what is stored, by asset and month; of releases, also private bundles."""
    workspace = Workspace.of(settings)
    found = {
        f"{asset}/{month}": workspace.manifest(asset, month)
        for asset in ASSETS
        if asset != "drive_upload"
        for month in MONTHS
    }
    found |= {f"people/{month}": workspace.people.manifest(month) for month in MONTHS}
    return {name: stored.data_version for name, stored in found.items() if stored}


@dataclass(frozen=True)
class Home:
    """A home with imports of four users, two of them to be forgotten, and its upload target."""

    settings: Settings
    environ: dict[str, str]
    drive: DriveEmulator
    traces: Traces

    def traces_in_target(self, folder: Path) -> list[str]:
        """What is left of the two in the files on the emulated Drive."""
        for path in self.drive.paths():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.drive.item(path).content)
        return list(search(folder, self.traces))


@pytest.fixture
def home(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Home]:
    monkeypatch.setattr(inbox.waiting_exports, "__defaults__", (0.0,))
    exports = tmp_path / "exports"
    corbin = days("corbin", "2023-05-02", 35, 9000)
    unusable = "corbin,soon,1,1,1,1,walking"
    mixed = write_tidy(exports / "corbin and others.csv", *ANNA, *corbin, unusable, *BERT)
    # The only user of April, and in another Unicode form.
    zoe = write_tidy(exports / "zoe.csv", *days(f"{ZOE_DECOMPOSED}\u200b", "2023-04-20", 20, 2000))
    with DriveEmulator() as drive:
        drive.patch(monkeypatch)
        environ = ENVIRONMENT | {
            "FITNESS_DRIVE_FOLDER": drive.folder,
            "FITNESS_DRIVE_CREDENTIALS": str(drive.credentials(tmp_path, "authorized_user")),
            "FITNESS_DRIVE_READERS": "reader@example.org",
        }
        settings = make_settings(tmp_path / "home", **environ)
        for path in (mixed, zoe):
            configured_imports(settings).add(path, ImportOptions(delivered=DELIVERED))
        for name in ("anna", "corbin"):
            configured_imports(settings).add(
                workouts(exports, name), ImportOptions(user=name, delivered=DELIVERED)
            )
        # The names of the files reach Dagster's log.
        waiting = settings.home / "inbox"
        write_tidy(waiting / ZOE / "zoë quill-more.csv", *days("", "2023-06-01", 5, 2000))
        write_tidy(waiting / "corbin" / "empty.csv")
        with open_instance(settings) as instance:
            job = build_defs(settings).resolve_job_def("import_inbox")
            assert job.execute_in_process(instance=instance).success
        write_tidy(waiting / "corbin" / "waiting.csv", *days("", "2023-06-09", 5, 2000))
        write_tidy(waiting / "all.csv", *corbin)
        log = settings.dagster_home / "storage" / "run" / "compute_logs" / "step.err"
        log.parent.mkdir(parents=True)
        log.write_text(f"read {ZOE} and {ZOE_DECOMPOSED}, corbin-2.csv of CORBIN\n")
        (settings.home / "models" / "segment_model" / "2023-05" / "_staging-x").mkdir(parents=True)
        ran = run_stale(settings, lambda *_: None)
        assert [outcome.error for outcome in ran.outcomes] == [None] * 3
        pseudonyms = configured_pseudonyms(settings)
        for name, text in (("corbin", "flu"), ("anna", f"dinner with {ZOE}")):
            configured_notes(settings).put(note(pseudonyms.pseudonym(name), text))
        ids = {pseudonyms.pseudonym(name) for name in (ZOE, "corbin")}
        yield Home(settings, environ, drive, Traces(ids, [ZOE, "corbin"], own_paths=[tmp_path]))


def test_all_data_of_forgotten_users_is_removed_from_home_logs_and_upload_target(
    home: Home, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings, imports = home.settings, configured_imports(home.settings)
    corbin = configured_pseudonyms(settings).pseudonym("corbin")
    before = versions(settings)
    found = "\n".join(search(settings.home, home.traces))
    places = ["runs", "imports", "lake", "inbox", "_refused", "compute_logs", "user_days"]
    for place in (*places, "notes.json", "names.json"):
        assert place in found, place
    assert home.traces_in_target(tmp_path / "before")

    narrow = dataclasses.replace(settings, first_month="2023-05", last_month="2023-05")
    narrowed = home.environ | {"FITNESS_HOME": str(settings.home)}
    narrowed |= {"FITNESS_FIRST_MONTH": "2023-05", "FITNESS_LAST_MONTH": "2023-05"}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, ZOE_DECOMPOSED], env=os.environ | narrowed, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    # Whatever is stale is rematerialized, also what the killed command did not get to.
    assert forget_user(narrow, corbin)
    assert forget_user(narrow, ZOE_DECOMPOSED)

    assert list(search(settings.home, home.traces)) == []
    assert sorted(configured_names(settings).all().values()) == ["anna", "bert"]
    anna = configured_pseudonyms(settings).pseudonym("anna")
    assert [each.text for each in configured_notes(settings).of(anna)] == [
        "dinner with forgotten-user"
    ]
    assert home.traces_in_target(tmp_path / "after") == []
    assert not [path for path in home.drive.paths() if "2023-04" in path]
    after = versions(settings)
    # Nothing is scored in a month after one without models, whoever is there.
    same = {each for each in after if after[each] == before[each]}
    assert same <= {"model_backtest/2023-05", "model_backtest/2023-06", "workouts/2023-06"}
    lake = Workspace.of(settings).workouts
    assert lake.scan(["2023-05"], ["user_id"]).table["user_id"].to_pylist() == [anna]
    assert export_user(settings, "anna", tmp_path / "anna.zip")["workouts"] == 1
    assert {each.rpartition("/")[2] for each in after} == {"2023-05", "2023-06"}
    assert run_stale(settings, lambda *_: None).outcomes == []
    with pytest.raises(SourceError, match="only data of users who were forgotten"):
        imports.add(tmp_path / "exports" / "zoe.csv", ImportOptions(delivered=DELIVERED))
    for nobody in (ZOE, "dora"):
        with pytest.raises(SourceError, match=f"there is no data of a user called '{nobody}'"):
            forget_user(narrow, nobody)

    others = make_settings(tmp_path / "others", **ENVIRONMENT)
    shutil.copytree(settings.home / "people", others.home / "people")
    only = write_tidy(tmp_path / "exports" / "others.csv", *ANNA, *BERT)
    configured_imports(others).add(only, ImportOptions(delivered=DELIVERED))
    configured_imports(others).add(
        workouts(tmp_path / "exports", "anna"), ImportOptions(user="anna", delivered=DELIVERED)
    )
    assets = [dg.AssetKey(name) for name in RELEASED]
    run_months(others, {"2023-05": assets, "2023-06": assets}, lambda *_: None)
    assert versions(others) == after
    assert len(after) == 2 * (len(RELEASED) + 1)


def test_a_user_of_any_source_can_be_forgotten_and_a_killed_command_repeated(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins = tmp_path / "logins.toml"
    others = '[users]\n"anna@example.org" = "u0000001"\n'
    logins.write_text(f'{others}"bert@example.org" = "u0000002"  # by hand\n')
    settings = make_settings(
        tmp_path,
        FITNESS_COHORT_USERS="3",
        FITNESS_LAST_MONTH="2023-04",
        FITNESS_LOGINS=str(logins),
        FITNESS_UPLOAD_FOLDER=str(tmp_path / "uploads"),
    )
    run_months(settings, {"2023-04": select_assets(settings, None)}, lambda *_: None)
    uploads, traces = tmp_path / "uploads", Traces(["u0000002"])
    assert any("user_days" in found for found in search(uploads, traces))
    tables = export_user(settings, "u0000002", tmp_path / "user.zip")
    assert tables == {
        "raw_telemetry": 30,
        "daily_activity": 30,
        "workouts": 0,
        "segments": 0,
        "day_kinds": 0,
        "notes": 0,
    }
    with zipfile.ZipFile(tmp_path / "user.zip") as archive:
        assert set(pd.read_csv(archive.open("daily_activity.csv"))["user_id"]) == {"u0000002"}
    (tmp_path / "user.zip").unlink()

    class KilledError(Exception):
        pass

    def kill(*_: object, **__: object) -> None:
        raise KilledError

    monkeypatch.setattr(erasure, "run_and_report", kill)
    with pytest.raises(KilledError):
        forget_user(settings, "u0000002")
    monkeypatch.undo()
    # Its next step is killed too; the raw records are already those of the others.
    monkeypatch.setattr(erasure, "run_stale_and_report", kill)
    with pytest.raises(KilledError):
        forget_user(settings, "u0000002")
    monkeypatch.undo()
    assert forget_user(settings, "u0000002")
    assert logins.read_text() == others
    assert list(search(uploads, traces)) == []
    assert FolderTarget(uploads).manifest("2023-04") is not None, "the upload is replaced"
    for lake in (Workspace.of(settings).raw, Workspace.of(settings).daily):
        users = lake.scan(["2023-04"], ["user_id"]).table["user_id"]
        assert set(users.to_pylist()) == {"u0000001", "u0000003"}
