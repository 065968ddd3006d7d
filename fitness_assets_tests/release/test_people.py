"""Rows of people: in which part of a release they are, and who may read that part."""

import stat
from dataclasses import dataclass
from pathlib import Path

import gdown
import pytest

from fitness_assets.errors import DriveError, ReleaseError
from fitness_assets.release.bundle import MANIFEST
from fitness_assets.release.mirror import Mirror
from fitness_assets.release.people import PEOPLE_TABLES, PeopleMode, Privacy, split
from fitness_assets.release.pointer import LATEST, Pointer
from fitness_assets.release.registry import origin_of
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.drive import DriveTarget
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.drive_emulator import DriveEmulator
from fitness_assets_tests.support.releases import any_content, release_info

MONTH = "2023-04"
READER, OTHER = "reader@readers.example", "other@readers.example"
FILES = {"metrics.json": b"{}", "days.parquet": b"days"} | {
    f"{name}.parquet": name.encode() for name in PEOPLE_TABLES
}


@dataclass
class Platform:
    """A home with a public and a private bundle, and their targets on Drive."""

    drive: DriveEmulator
    home: Path
    readers: tuple[str, ...] = (READER,)

    def upload(self) -> tuple[str, str]:
        """Upload both bundles; the links of their pointers."""
        public, private = split(FILES, "private")
        credentials = self.drive.credentials(self.home, "authorized_user")
        links = []
        for name, files, readers in (("r", public, None), ("p", private, self.readers)):
            release = ReleaseStore(self.home / name).publish(files, release_info(MONTH))
            lock = self.home / "state"
            target = DriveTarget(self.drive.folder, credentials, lock, readers=readers)
            links.append(target.upload(release).link)
            assert target.manifest(MONTH) == release.manifest
        return links[0], links[1]


@pytest.fixture
def platform(drive: DriveEmulator, tmp_path: Path) -> Platform:
    return Platform(drive, tmp_path)


@pytest.mark.parametrize(
    ("mode", "public", "private"),
    [("none", 2, 0), ("private", 2, 7), ("public", 9, 0)],
)
def test_a_release_is_split(mode: PeopleMode, public: int, private: int) -> None:
    parts = split(FILES, mode)
    assert [len(part) for part in parts] == [public, private]
    assert parts[1].keys() <= {f"{name}.parquet" for name in PEOPLE_TABLES}


@pytest.mark.parametrize(
    ("environ", "people", "refused"),
    [
        ({}, "public", False),
        ({"FITNESS_RELEASE_PEOPLE": "private"}, "private", True),
        ({"FITNESS_SOURCE": "exports"}, "private", True),
        ({"FITNESS_SOURCE": "folder", "FITNESS_SOURCE_PATH": "x"}, "private", True),
        ({"FITNESS_SOURCE": "exports", "FITNESS_RELEASE_PEOPLE": "none"}, "none", True),
        ({"FITNESS_SOURCE": "exports", "FITNESS_RELEASE_PEOPLE": "public"}, "public", False),
    ],
)
def test_people_become_public_only_by_hand(
    environ: dict[str, str], people: str, refused: bool, tmp_path: Path
) -> None:
    privacy = Workspace.of(Settings.from_env({"FITNESS_HOME": str(tmp_path), **environ})).privacy
    assert privacy.people == people
    privacy.check_upload(MONTH, has_people=False)
    if not refused:
        privacy.check_upload(MONTH, has_people=True)
        return
    with pytest.raises(ReleaseError, match="FITNESS_RELEASE_PEOPLE=public") as error:
        privacy.check_upload(MONTH, has_people=True)
    assert "\n" not in str(error.value)


def test_a_default_never_makes_real_people_public() -> None:
    privacy = Privacy(people="public", by_hand=False, real=True, smallest_cell=5)
    with pytest.raises(ReleaseError, match="rematerialize dashboard_release"):
        privacy.check_upload(MONTH, has_people=True)


def test_a_private_bundle_is_for_named_readers(platform: Platform) -> None:
    drive = platform.drive
    public_link, private_link = platform.upload()
    private = [path for path in drive.paths() if path.startswith("people/")]
    assert len(private) == len(PEOPLE_TABLES) + 2
    for path in private:
        assert drive.item(path).readers == {READER}
        assert not drive.item(path).public
    public = [path for path in drive.paths() if path not in private]
    assert all(drive.item(path).public and not drive.item(path).readers for path in public)
    pointer = Pointer.parse(drive.item(LATEST).content, LATEST)
    assert sorted([*pointer.ids, LATEST]) == public, "the public pointer names no private file"

    copy = platform.home / "copy"
    mirror = Mirror(origin_of(public_link), copy / "r", check=any_content)
    assert not mirror.refresh().refused
    assert not mirror.store.open(MONTH).has_people
    reader = drive.credentials(platform.home, account=READER)
    mirror = Mirror(origin_of(private_link, reader), copy / "p", private=True, check=any_content)
    assert not mirror.refresh().refused
    assert mirror.store.open(MONTH).has_people
    assert stat.S_IMODE((copy / "p").stat().st_mode) == 0o700
    stranger = drive.credentials(platform.home, account=OTHER)
    for origin in (origin_of(private_link), origin_of(private_link, stranger)):
        refused = Mirror(origin, copy / "s", private=True, check=any_content).refresh()
        assert not refused.months
        assert LATEST in refused.refused


def test_readers_are_exactly_those_of_the_settings(platform: Platform) -> None:
    platform.upload()
    platform.readers = (OTHER,)
    platform.drive.item("people/latest.json").public = True
    platform.upload()
    for path in platform.drive.paths():
        if path.startswith("people/"):
            assert platform.drive.item(path).readers == {OTHER}
            assert not platform.drive.item(path).public


def test_a_public_folder_gets_no_rows_of_people(platform: Platform) -> None:
    platform.drive.folder_is_public = True
    with pytest.raises(DriveError, match="share it with named accounts only"):
        platform.upload()
    assert not [path for path in platform.drive.paths() if path.startswith("people/")]


def test_the_public_pointer_is_rebuilt_without_private_files(platform: Platform) -> None:
    platform.upload()
    platform.drive.item(LATEST).contents.append(b"damaged")
    platform.upload()
    content = platform.drive.item(LATEST).content
    assert b"people" not in content
    assert list(Pointer.parse(content, LATEST).releases) == [MONTH]


def test_a_month_is_removed_from_one_bundle_only(platform: Platform) -> None:
    platform.upload()
    credentials = platform.drive.credentials(platform.home, "authorized_user")
    lock = platform.home / "state"
    DriveTarget(platform.drive.folder, credentials, lock, readers=()).remove(MONTH)
    left = platform.drive.paths()
    assert [path for path in left if path.startswith("people/")] == ["people/latest.json"]
    assert f"{MONTH}/{MANIFEST}" in left


def test_local_private_bundles_are_for_their_owner(tmp_path: Path) -> None:
    workspace = Workspace.of(Settings.from_env({"FITNESS_HOME": str(tmp_path)}))
    release = workspace.people.publish(split(FILES, "private")[1], release_info(MONTH))
    uploaded = workspace.people_uploads.upload(release)
    folders = [tmp_path / "releases-people", tmp_path / "drive-people"]
    assert Path(uploaded.link).parent == folders[1]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 2
    assert not (tmp_path / "drive").exists()


def test_gdown_reads_no_private_file(platform: Platform) -> None:
    platform.upload()
    with pytest.raises(gdown.exceptions.DownloadError):
        gdown.download(
            id=platform.drive.item("people/latest.json").id,
            output=str(platform.home / "x"),
            quiet=True,
            use_cookies=False,
        )
