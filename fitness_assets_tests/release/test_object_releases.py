"""Releases in an object store: uploaded, mirrored, made current and removed."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fitness_assets.errors import ReleaseError
from fitness_assets.release.mirror import Mirror
from fitness_assets.release.pointer import LATEST
from fitness_assets.release.registry import origin_of, people_target, upload_target
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderTarget
from fitness_assets.settings import Settings
from fitness_assets.storage.locations import Location, ObjectPath, file_names, location
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.releases import any_content, release_info

MONTHS = ("2023-04", "2023-05")


@pytest.fixture
def url(object_store: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    return object_store.use(monkeypatch)


def publish(root: Location, month: str, days: bytes = b"12345") -> None:
    files = {"metrics.json": month.encode(), "days.parquet": days}
    ReleaseStore(root).publish(files, release_info(month))


def test_an_uploaded_release_is_mirrored(url: str, tmp_path: Path) -> None:
    settings = Settings.from_env(
        {"FITNESS_HOME": str(tmp_path / "home"), "FITNESS_UPLOAD_FOLDER": f"{url}/drive"}
    )
    target, here = upload_target(settings), ReleaseStore(settings.storage / "releases")
    mirror = Mirror(origin_of(f"{url}/drive"), tmp_path / "copy", check=any_content)
    assert mirror.refresh().months == ()
    for month in MONTHS:
        publish(here.root, month)
        uploaded = target.upload(here.open(month))
        assert uploaded.link == f"{url}/drive/{LATEST}"
        assert uploaded.sent == uploaded.manifest.bytes
        assert target.upload(here.open(month)).sent == 0
    state = mirror.refresh()
    assert (state.months, state.current, state.refused) == (MONTHS, MONTHS[1], {})
    assert mirror.store.open(MONTHS[0]).manifest == here.open(MONTHS[0]).manifest
    target.set_current(MONTHS[0])
    assert mirror.refresh().current == MONTHS[0]
    target.remove(MONTHS[0])
    assert mirror.refresh().months == MONTHS[1:]
    assert target.manifest(MONTHS[0]) is None
    assert file_names(location(f"{url}/drive/{MONTHS[0]}")) == set()


def test_a_damaged_release_is_refused(url: str, tmp_path: Path) -> None:
    store = ReleaseStore(location(url))
    publish(store.root, MONTHS[0])
    path = store.root / MONTHS[0] / store.open(MONTHS[0]).manifest.file("days.parquet").path
    assert isinstance(path, ObjectPath)
    path.store.write(path.key, b"54321")
    mirror = Mirror(origin_of(url), tmp_path / "copy", check=any_content)
    assert "does not match" in mirror.refresh().refused[MONTHS[0]]
    path.store.write(path.key, b"123456")
    assert "more than 5" in mirror.refresh().refused[MONTHS[0]]
    path.store.delete([path.key])
    assert "is missing" in mirror.refresh().refused[MONTHS[0]]


def test_pointers_that_are_changed_at_the_same_time_lose_no_month(
    seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = seaweedfs.use(monkeypatch)
    months = [f"2023-{number:02d}" for number in range(1, 9)]
    with ThreadPoolExecutor(len(months)) as pool:
        list(pool.map(lambda month: publish(location(url), month), months))
    pointer = ReleaseStore(location(url)).pointer()
    assert pointer is not None
    assert sorted(pointer.releases) == months
    assert pointer.month == months[-1]
    assert pointer.serial == len(months)


def test_rows_of_people_stay_out_of_an_upload_folder_that_others_may_read(tmp_path: Path) -> None:
    def people(home: str, upload: str) -> str:
        settings = Settings.from_env({"FITNESS_HOME": home, "FITNESS_UPLOAD_FOLDER": upload})
        target = people_target(settings)
        assert isinstance(target, FolderTarget)
        return str(target.root)

    assert people(str(tmp_path), "s3://public/fitness") == str(tmp_path / "drive-people")
    assert people("s3://own/fitness", "s3://public/x") == "s3://own/fitness/drive-people"
    assert people("s3://own/fitness", "") == "s3://own/fitness/drive-people"
    assert people(str(tmp_path), str(tmp_path / "up")) == str(tmp_path / "up-people")


@pytest.mark.parametrize(
    "url", ["https://bucket/x", "file:///x", "s3://", "s3://key:word@bucket/x"]
)
def test_other_urls_are_no_source(url: str) -> None:
    with pytest.raises((ReleaseError, ValueError), match=r"is not|is a folder of this machine"):
        origin_of(url)


def test_the_library_of_object_stores_is_imported_for_a_url_only(tmp_path: Path) -> None:
    code = (
        "import sys, dashboard.data\n"
        "from fitness_assets.release.registry import origin_of\n"
        "origin_of(sys.argv[1]).pointer()\n"
        "assert 'obstore' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
