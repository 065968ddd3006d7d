"""A home that is an object store: every stage, with the files of a home on the local disk."""

from pathlib import Path

import dagster as dg
import pytest

from fitness_assets.cli.backup_runs import BackupOptions, back_up
from fitness_assets.cli.erasure import forget_user
from fitness_assets.cli.runs import run_stale
from fitness_assets.diagnosis.objects import check_object_store
from fitness_assets.errors import UnavailableError
from fitness_assets.orchestration.staleness import stale_partitions
from fitness_assets.orchestration.state import read_state
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports, configured_pseudonyms
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage.backup import BackupStore
from fitness_assets.storage.backup_places import FolderPlace
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.storage.object_inventory import search_objects
from fitness_assets.storage.object_store import ObjectStore
from fitness_assets.storage.traces import Traces
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.platform import MONTHS, MakeSettings, materialize
from fitness_assets_tests.support.tidy import write_tidy

#: What is published below a home.
PUBLISHED = ("lake", "models", "reports", "releases", "releases-people", "drive", "drive-people")


def on_disk(home: Path) -> dict[str, bytes]:
    """The content of each published file of a home, by its path."""
    paths = (path for name in PUBLISHED for path in (home / name).rglob("*") if path.is_file())
    files = {path.relative_to(home).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in files.items() if not name.endswith("_lock")}


def in_store(home: ObjectPath) -> dict[str, bytes]:
    """The same of a home in an object store."""
    names = [each.name for each in home.store.list(home.key)]
    contents = {name: ObjectPath(home.bucket, name).read_bytes() for name in names}
    return {name.removeprefix(f"{home.key}/"): content for name, content in contents.items()}


@pytest.mark.slow
def test_every_stage_stores_what_it_stores_on_the_local_disk(
    released: Settings,
    make_settings: MakeSettings,
    object_store: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    url = object_store.use(monkeypatch)
    settings = make_settings(tmp_path, FITNESS_HOME=url, FITNESS_STATE=str(tmp_path / "state"))
    assert isinstance(settings.storage, ObjectPath)
    workspace = Workspace.of(settings)
    read_bytes, asked = ObjectPath.read_bytes, list[str]()

    def read(path: ObjectPath) -> bytes:
        asked.append(path.key)
        return read_bytes(path)

    monkeypatch.setattr(ObjectPath, "read_bytes", read)
    with dg.DagsterInstance.ephemeral() as instance:
        for month in MONTHS:
            assert materialize(settings, month, instance).success
    assert any("year=2023" in key for key in asked)
    assert not any("year=2021" in key for key in asked), "of years without data only a list is read"
    assert workspace.months() == list(MONTHS)
    assert not stale_partitions(read_state(workspace, MONTHS), MONTHS)
    local, stored = on_disk(released.home), in_store(settings.storage)
    assert sorted(stored) == sorted(local)
    assert [name for name in local if stored[name] != local[name]] == []


@pytest.fixture
def imported(
    make_settings: MakeSettings,
    object_store: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Settings:
    """An object store with a month that was made of the imports of two users."""
    settings = make_settings(
        tmp_path,
        FITNESS_HOME=object_store.use(monkeypatch),
        FITNESS_STATE=str(tmp_path / "state"),
        FITNESS_SOURCE="exports",
        FITNESS_LEAST_COMPLETE="0",
        FITNESS_FIRST_MONTH=MONTHS[-1],
    )
    for user, steps in (("anna", 4000), ("corbin", 9000)):
        rows = [f"{user},{MONTHS[-1]}-{day:02d},{steps + day},1900,66,7,walking" for day in (1, 2)]
        path = write_tidy(tmp_path / f"{user}.csv", *rows)
        configured_imports(settings).add(path, ImportOptions())
    assert [each.error for each in run_stale(settings, lambda *_: None).outcomes] == [None]
    return settings


def test_a_forgotten_user_leaves_the_object_store_at_once(imported: Settings) -> None:
    root = imported.storage
    assert isinstance(root, ObjectPath)
    traces = Traces({configured_pseudonyms(imported).pseudonym("corbin")}, ["corbin"])
    before = "\n".join(search_objects(root, traces))
    for place in ("raw_telemetry", "daily_activity", "releases-people", "drive-people"):
        assert place in before
    assert forget_user(imported, "corbin")
    assert list(search_objects(root, traces)) == []
    assert not stale_partitions(read_state(Workspace.of(imported), MONTHS), MONTHS)


def test_a_backup_has_the_imports_and_says_that_it_lacks_the_object_store(
    imported: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    back_up(imported, str(tmp_path / "backup"), BackupOptions(verify=True))
    said = " ".join(capsys.readouterr().out.split())
    assert f"{imported.storage} is not in the backup" in said
    paths = {file.path for file in BackupStore(FolderPlace(tmp_path / "backup")).read().files}
    assert "people/pseudonyms.key" in paths
    assert any(path.startswith("imports/") for path in paths)


def test_the_doctor_names_what_is_damaged_in_the_object_store(
    imported: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = check_object_store(imported)
    assert (found.level, found.text.startswith(str(imported.storage))) == ("ok", True)
    daily = Workspace.of(imported).daily
    (path,) = daily.files(MONTHS[-1])
    assert isinstance(path, ObjectPath)
    path.store.write(path.key, b"short")
    (found,) = check_object_store(imported)
    assert found.text == f"{path} has another size than was published"
    path.store.delete([path.key])
    (found,) = check_object_store(imported)
    assert (found.level, found.text) == ("fault", f"{path} is missing")
    state = read_state(Workspace.of(imported), MONTHS)
    assert {each.asset for each in stale_partitions(state, MONTHS)} >= {"daily_activity"}

    def unavailable(*_: object) -> None:
        raise UnavailableError("the server cannot be reached")

    for name in ("list", "read"):
        monkeypatch.setattr(ObjectStore, name, unavailable)
    (found,) = check_object_store(imported)
    assert (found.level, found.text) == ("fault", "the server cannot be reached")
    # Nothing is known of what is stored then, and nothing is rematerialized.
    with pytest.raises(UnavailableError):
        read_state(Workspace.of(imported), MONTHS)
