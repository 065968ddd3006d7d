"""Rows of people are read only with an access that allows them."""

from pathlib import Path

import pytest

from dashboard import data, people
from dashboard.people import People
from fitness_assets.release import build
from fitness_assets.release.people import PEOPLE_TABLES
from fitness_assets.release.store import ReleaseStore
from fitness_assets.storage.publication import StoredFile, read_bytes
from fitness_assets.web.access import PUBLIC, Access
from fitness_assets_tests.support.opening import VIEWS, open_view
from fitness_assets_tests.support.people_bundles import ANNA, BEN, MONTH, USERS, publish_bundles


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a private bundle."""
    home = tmp_path_factory.mktemp("people")
    publish_bundles(home)
    return home


@pytest.fixture
def home(published: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, which the dashboard reads in place."""
    monkeypatch.setenv("FITNESS_HOME", str(published))
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(published / "releases"))
    return published


def test_an_access_to_one_user_gives_the_rows_of_that_user(home: Path) -> None:
    release = ReleaseStore(home / "releases").open(MONTH)
    own = people.read(release, lambda: Access(user=ANNA, reason=""))
    assert isinstance(own, People)
    assert own.own == ANNA
    assert own.users() == [ANNA]
    assert set(own.days(ANNA)["user_id"]) == {ANNA}
    assert own.sample() is None
    with pytest.raises(PermissionError):
        own.days(BEN)
    everyone = people.read(release, lambda: Access(everyone=True, reason=""))
    assert isinstance(everyone, People)
    assert everyone.own is None
    assert everyone.users() == list(USERS)
    assert set(everyone.days(BEN)["user_id"]) == {BEN}
    assert everyone.sample() is not None


def test_a_visitor_who_may_read_one_user_reads_the_part_of_that_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_ROWS_PER_FILE", 200)
    publish_bundles(tmp_path)
    part = ReleaseStore(tmp_path / "releases-people").open(MONTH)
    assert sum(file.name.startswith("user_days-") for file in part.manifest.files) > 1
    read: list[str] = []

    def recorded(folder: Path, file: StoredFile) -> bytes:
        read.append(file.name)
        return read_bytes(folder, file)

    monkeypatch.setattr("fitness_assets.release.bundle.read_bytes", recorded)
    own = People(part, Access(user=ANNA, reason=""))
    assert own.users() == [ANNA]
    assert set(own.days(ANNA)["user_id"]) == {ANNA}
    assert len(set(read)) == 1
    with pytest.raises(PermissionError):
        own.place(BEN)
    assert People(part, Access(user="nobody", reason="")).users() == []
    # Those of all parts are one list in order.
    assert People(part, Access(everyone=True, reason="")).users() == list(USERS)


def test_without_an_access_no_table_is_read(home: Path) -> None:
    release = ReleaseStore(home / "releases").open(MONTH)
    part = ReleaseStore(home / "releases-people").open(MONTH)
    denied = people.read(release, Access)
    assert isinstance(denied, Access)
    assert denied.is_denied
    with pytest.raises(PermissionError):
        People(part, Access())
    for name in PEOPLE_TABLES:
        for of in (release, part):
            with pytest.raises(PermissionError):
                data.table(of, name)


def test_only_pinned_private_bundles_are_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(home / "pinned"))
    stores = [ReleaseStore(home / name) for name in ("releases", "releases-people")]
    public, private = (store.digest(MONTH) or "" for store in stores)
    release = stores[0].open(MONTH)

    def can_read() -> bool:
        found = people.read(release, lambda: Access(everyone=True, reason=""))
        return isinstance(found, People)

    monkeypatch.setenv("FITNESS_RELEASE_DIGESTS", public)
    assert "not pinned" in data.refresh_people()[MONTH]
    assert not can_read()
    monkeypatch.setenv("FITNESS_RELEASE_DIGESTS", f"{public},{private}")
    assert data.refresh_people() == {}
    assert can_read()
    # A copy that was made before the pins changed is not read either.
    monkeypatch.setenv("FITNESS_RELEASE_DIGESTS", public)
    assert not can_read()


def test_rows_of_a_public_release_need_no_access(home: Path) -> None:
    def never() -> Access:
        pytest.fail("asked for the access to public rows")

    public = ReleaseStore(home / "releases-people").open(MONTH)
    found = people.read(public, never)
    assert isinstance(found, People)
    assert PUBLIC.everyone
    assert found.users() == list(USERS)


@pytest.mark.parametrize("name", VIEWS)
def test_no_view_shows_people_to_a_visitor_of_unknown_address(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def recorded(folder: Path, file: StoredFile) -> bytes:
        read.append(file.name)
        return read_bytes(folder, file)

    monkeypatch.setattr("fitness_assets.release.bundle.read_bytes", recorded)
    view = open_view(name, home / "releases", monkeypatch)
    assert not view.exception
    assert not set(read) & {f"{table}.parquet" for table in PEOPLE_TABLES}
    assert not any(box.key == "user" for box in view.selectbox)
