import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import archive
from fitness_assets.sources.exports.registry import FORMATS
from fitness_assets_tests.support.exports import (
    example_files,
    import_path,
    write_files,
    write_zip,
)

TIDY = b"user_id,date,steps\n7,2023-04-02,1200\n"
MODES = {"x.tar": "w", "x.tgz": "w:gz", "x.tar.gz": "w:gz", "x.tar.bz2": "w:bz2", "x.txz": "w:xz"}


def tar(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as written:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            written.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in files.items():
            written.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("file", MODES)
def test_a_tar_gives_the_records_of_its_files(tmp_path: Path, name: str, file: str) -> None:
    files = example_files(name)
    expected = import_path(write_files(tmp_path / "folder", files))
    write_files(tmp_path, {file: tar(files, MODES[file])})
    imported = import_path(tmp_path / file)
    assert (imported.records, imported.quarantined) == (expected.records, expected.quarantined)


@pytest.mark.parametrize("outer", [zipped, tar])
@pytest.mark.parametrize("inner", [zipped, tar])
def test_an_archive_within_an_archive_is_read_and_a_third_is_named(
    tmp_path: Path, outer: object, inner: object
) -> None:
    assert callable(outer)
    assert callable(inner)
    suffix = ".zip" if inner is zipped else ".tgz"
    deep = inner({"deep.csv": TIDY.replace(b"7,", b"9,")})
    within = inner({"a.csv": TIDY, f"deep{suffix}": deep})
    content = outer({"b.csv": TIDY.replace(b"7,", b"8,"), f"in{suffix}": within})
    imported = import_path(write_files(tmp_path, {"x.zip": content}) / "x.zip")
    assert {user for user, _ in imported.records} == {"7", "8"}
    assert [file for file, _, _ in imported.quarantined] == [f"in{suffix}/deep{suffix}"]


def test_damage_within_an_archive_costs_what_is_damaged(tmp_path: Path) -> None:
    inner = zipped({"a.csv": TIDY})
    imported = import_path(
        write_zip(tmp_path / "x.zip", {"in.zip": inner[:-30], "b.csv": TIDY, "empty.csv": b""})
    )
    assert len(imported.records) == 1
    reasons = {file: reason for file, _, reason in imported.quarantined}
    assert reasons["empty.csv"] == "it is empty"
    assert "in.zip is a zip that is cut off or damaged" in reasons["in.zip"]


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_tar_that_is_cut_off_keeps_what_was_read(tmp_path: Path, kept: float) -> None:
    files = {f"{number}.csv": TIDY.replace(b"7,", b"%d," % number) for number in range(10)}
    content = tar(files, "w")
    path = write_files(tmp_path, {"x.tar": content[: int(10 * 1024 * kept)]}) / "x.tar"
    imported = import_path(path)
    assert 0 < len(imported.records) < 10
    assert "cut off or damaged after" in imported.quarantined[0][2]


@pytest.mark.parametrize("size", [0, 20, 2000])
def test_an_empty_or_truncated_zip_is_named(tmp_path: Path, size: int) -> None:
    content = zipped({"x.csv": b"".join(b"%d,%d\n" % (n, n * n) for n in range(9999))})[:size]
    reason = "cut off or damaged" if size else "it is empty"
    with pytest.raises(SourceError, match=rf"export\.zip.*{reason}"):
        import_path(write_files(tmp_path, {"export.zip": content}) / "export.zip")


def test_a_tar_bomb_is_refused(tmp_path: Path) -> None:
    path = write_files(tmp_path, {"x.tgz": tar({"bomb.csv": b"0" * (17 << 20)})}) / "x.tgz"
    with pytest.raises(SourceError, match=r"x\.tgz would unpack to over 16,777,216 bytes"):
        import_path(path)


def test_archives_share_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    inner = zipped({"a.csv": TIDY, "b.csv": TIDY})
    path = write_zip(tmp_path / "x.zip", {"a.zip": inner, "c.csv": TIDY})
    assert import_path(path).quarantined == [("a.zip", "", "a.zip holds 4 files; the limit is 3")]
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 10)
    with pytest.raises(SourceError, match=r"a\.zip would unpack to more than 10 bytes"):
        import_path(path)


def test_links_and_paths_of_a_tar_lead_nowhere(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"secret.csv": TIDY.replace(b"7,", b"9,")})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as written:
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside / "secret.csv")
        written.addfile(link)
        entry = tarfile.TarInfo("../outside/new.csv")
        entry.size = len(TIDY)
        written.addfile(entry, io.BytesIO(TIDY))
    imported = import_path(write_files(tmp_path / "in", {"x.tgz": out.getvalue()}))
    assert {user for user, _ in imported.records} == {"7"}
    assert [file.name for file in outside.iterdir()] == ["secret.csv"]


def test_e_mail_addresses_in_names_are_not_reported(tmp_path: Path) -> None:
    files = {"a/ann.lee@example.org_1.fit": b"\x0e\x10\xd9\x07\0\0\0\0.FIT", "b.csv": TIDY}
    imported = import_path(write_zip(tmp_path / "x.zip", files))
    assert [file for file, _, _ in imported.quarantined] == ["a/…_1.fit"]
