"""An object store that answers with errors, or not in time, in the middle of a publication."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fitness_assets import clock
from fitness_assets.errors import UnavailableError
from fitness_assets.storage import object_folder
from fitness_assets.storage import object_store as module
from fitness_assets.storage.backup import BackupStore
from fitness_assets.storage.backup_manifest import Backup
from fitness_assets.storage.backup_places import open_place
from fitness_assets.storage.lake import Lake, TableInfo
from fitness_assets.storage.locations import location
from fitness_assets.storage.publication import MANIFEST
from fitness_assets_tests.support import crash
from fitness_assets_tests.support.faulty_server import Choose, Fault, FaultyServer, faulty
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.polling import MONTH, contents

RETRIES = 2


@pytest.fixture
def server(object_store: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setattr(module, "_RETRY", {"max_retries": RETRIES})
    timeouts = {"allow_http": True, "read_timeout": timedelta(seconds=0.5)}
    monkeypatch.setattr(module, "_CLIENT", timeouts)
    with faulty(object_store) as server:
        yield server


@pytest.fixture
def lake(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> Lake[TableInfo]:
    lake = Lake(location(server.use(monkeypatch)), TableInfo)
    crash.publish(lake, MONTH, 1)
    return lake


def some(name: str, fault: Fault, times: int) -> Choose:
    """The first `times` writes of an object whose name contains `name` have this fault."""
    left = iter(range(times))

    def choose(method: str, path: str) -> Fault | None:
        is_chosen = method == "PUT" and name in path and next(left, None) is not None
        return fault if is_chosen else None

    return choose


@pytest.mark.parametrize("name", ["part-00001", MANIFEST])
@pytest.mark.parametrize("fault", ["500", "503", "slow", "lost"])
def test_an_error_that_passes_is_not_noticed(
    server: FaultyServer, lake: Lake[TableInfo], name: str, fault: Fault
) -> None:
    server.choose = some(name, fault, 1)
    crash.publish(lake, MONTH, 2)
    assert server.requests == 1
    assert contents(lake) == {2}


@pytest.mark.parametrize("name", ["part-00001", MANIFEST])
@pytest.mark.parametrize("fault", ["500", "503", "slow"])
def test_an_error_that_stays_is_one_line_and_the_published_month_stands(
    server: FaultyServer, lake: Lake[TableInfo], name: str, fault: Fault
) -> None:
    server.choose = some(name, fault, 1000)
    with pytest.raises(UnavailableError, match="the published content is unchanged") as error:
        crash.publish(lake, MONTH, 2)
    assert "\n" not in str(error.value)
    assert name in str(error.value)
    assert server.requests <= 3 * (1 + RETRIES)
    server.choose = lambda *_: None
    assert contents(lake) == {1}
    crash.publish(lake, MONTH, 2)
    assert contents(lake) == {2}


def test_a_month_is_published_although_nothing_can_be_removed_after_it(
    server: FaultyServer, lake: Lake[TableInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_folder, "GRACE", timedelta(seconds=-1))

    def choose(method: str, path: str) -> Fault | None:
        return "503" if method == "DELETE" or "list-type" in path else None

    server.choose = choose
    crash.publish(lake, MONTH, 2)
    assert contents(lake) == {2}
    assert server.requests > 0


def test_a_store_that_cannot_be_read_is_not_an_empty_one(
    server: FaultyServer, lake: Lake[TableInfo]
) -> None:
    server.choose = lambda *_: "503"
    for read in (lambda: lake.manifest(MONTH), lake.months):
        with pytest.raises(UnavailableError, match="503"):
            read()


def back_up(store: BackupStore, home: Path) -> Backup:
    with store.writing():
        made, _ = store.write(home, ["people"], Backup(made=clock.now(), settings={}))
    return made


@pytest.mark.parametrize("fault", ["500", "503", "lost"])
def test_a_backup_is_made_whole_in_spite_of_errors_that_pass(
    fault: Fault, server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "people").mkdir()
    store = BackupStore(open_place(server.use(monkeypatch)))
    for content in ("first", "second"):
        (tmp_path / "people" / "names").write_text(content)
        for name in ("contents", "backup.json"):
            server.choose = some(name, fault, 1)
            made = back_up(store, tmp_path)
            assert store.read() == made
            store.verify(made)
    assert server.requests == 2 + 1 + 1


def test_a_backup_with_errors_that_do_not_pass_leaves_the_one_before(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "people").mkdir()
    store = BackupStore(open_place(server.use(monkeypatch)))
    (tmp_path / "people" / "names").write_text("first")
    before = back_up(store, tmp_path)
    (tmp_path / "people" / "names").write_text("second")
    for name in ("contents", "backup.json"):
        server.choose = some(name, "500", 10)
        with pytest.raises(UnavailableError):
            back_up(store, tmp_path)
        server.choose = lambda *_: None
        assert store.read() == before
        store.verify(before)
