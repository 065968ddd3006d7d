"""The choice of an upload target and of an origin."""

import subprocess
import sys
from pathlib import Path

import pytest

from fitness_assets.errors import ReleaseError
from fitness_assets.release.registry import is_link, origin_of, upload_target
from fitness_assets.release.targets.drive import DriveOrigin, DriveTarget
from fitness_assets.release.targets.folder import FolderOrigin, FolderTarget
from fitness_assets.settings import Settings


def test_the_target_is_drive_if_configured_and_else_a_folder(tmp_path: Path) -> None:
    environ = {"FITNESS_HOME": str(tmp_path)}
    assert isinstance(upload_target(Settings.from_env(environ)), FolderTarget)
    environ |= {
        "FITNESS_DRIVE_FOLDER": "a folder",
        "FITNESS_DRIVE_CREDENTIALS": str(tmp_path / "credentials.json"),
    }
    assert isinstance(upload_target(Settings.from_env(environ)), DriveTarget)


@pytest.mark.parametrize(
    "link",
    [
        "https://drive.google.com/uc?id=1-aB_c",
        "https://drive.google.com/uc?export=download&id=1-aB_c",
        "https://drive.google.com/file/d/1-aB_c/view?usp=sharing",
    ],
)
def test_links_of_google_drive_are_accepted(link: str) -> None:
    assert is_link(link)
    assert isinstance(origin_of(link), DriveOrigin)


@pytest.mark.parametrize(
    "link",
    [
        "https://drive.google.com.evil.org/uc?id=1",
        "https://example.org/latest.json",
        "http://drive.google.com/uc?id=1-aB_c",
    ],
)
def test_other_links_are_refused(link: str) -> None:
    with pytest.raises(ReleaseError, match=r"a folder or its URL .* or the public link"):
        origin_of(link)


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    assert not is_link(str(tmp_path))
    assert isinstance(origin_of(str(tmp_path)), FolderOrigin)


def test_a_source_is_validated_without_client_libraries() -> None:
    script = (
        "import sys\n"
        "from fitness_assets.release.registry import origin_of\n"
        "origin_of('https://drive.google.com/uc?id=1-aB_c')\n"
        "heavy = {'gdown', 'requests', 'googleapiclient', 'pandas', 'sklearn', 'skops'}\n"
        "sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
