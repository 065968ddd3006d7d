import os
from pathlib import Path

import pytest

from fitness_assets import regular_files
from fitness_assets.errors import ReleaseError, SourceError
from fitness_assets.release.targets.folder import FolderOrigin
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.folder import Folder
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets_tests.support.tidy import write_tidy


def test_a_link_that_replaces_a_file_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret")
    path = tmp_path / "a"
    path.write_text("a")
    os_open = os.open

    def replace_and_open(name: Path, flags: int) -> int:
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return os_open(name, flags)

    monkeypatch.setattr(os, "open", replace_and_open)
    with pytest.raises(OSError, match="a"):
        regular_files.open_regular(path)


def test_a_pipe_that_replaces_a_file_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("a")
    os_open = os.open

    def replace_and_open(name: Path, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return os_open(name, flags)

    monkeypatch.setattr(os, "open", replace_and_open)
    with pytest.raises(OSError, match="it is a pipe, which is not read"):
        regular_files.open_regular(path)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_not_imported(tmp_path: Path, path: str) -> None:
    imports = Imports(tmp_path / "imports", Pseudonyms(tmp_path / "people"))
    with pytest.raises(SourceError, match=f"{path} cannot be read: it is a device"):
        imports.add(Path(path), ImportOptions(user="anna"))
    assert not (tmp_path / "imports").exists()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_folder_source_reports_links_and_pipes(tmp_path: Path, suffix: str) -> None:
    row = "bert,2023-05-01,1,1800,70,7,walking"
    theirs = write_tidy(tmp_path / f"outside{suffix}", row)
    root = tmp_path / "lake"
    write_tidy(root / "days.csv", row)
    (root / f"link{suffix}").symlink_to(theirs)
    os.mkfifo(root / f"pipe{suffix}")
    reported: dict[str, str] = {}
    batches = list(Folder(root).read("2023-05", reported.__setitem__))
    assert sum(batch.num_rows for batch in batches) == 1
    assert set(reported) == {f"link{suffix}", f"pipe{suffix}"}
    assert "it is a symbolic link, which is not read" in reported[f"link{suffix}"]
    assert "it is a pipe, which is not read" in reported[f"pipe{suffix}"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("secret.json")])
def test_a_release_is_not_read_through_links_or_pipes(tmp_path: Path, make: object) -> None:
    assert callable(make)
    (tmp_path / "secret.json").write_text("{}")
    make(tmp_path / "latest.json")
    with pytest.raises(ReleaseError, match=r"latest\.json cannot be read: it is a "):
        FolderOrigin(tmp_path).pointer()
