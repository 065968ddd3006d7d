"""The inbox with entries of every kind: links, pipes, sockets, wrong clocks and bad names."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.sources import inbox, originals
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.text import printable
from fitness_assets_tests.support.tidy import write_tidy

ROW = "bert,2023-05-01,1,1800,70,7,walking"
ZONE = ZoneInfo("UTC")


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path / "home" / "imports", Pseudonyms(tmp_path / "home" / "people"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "inbox"
    path.mkdir(parents=True)
    return path


def outside(folder: Path) -> Path:
    """A folder outside of the inbox, with an export."""
    path = folder.parents[1] / "outside"
    write_tidy(path / "theirs.csv", ROW)
    return path


def link_to_a_file(folder: Path) -> Path:
    path = folder / "a.csv"
    path.symlink_to(outside(folder) / "theirs.csv")
    return path


def link_to_a_folder(folder: Path) -> Path:
    path = folder / "a"
    path.symlink_to(outside(folder))
    return path


def link_to_nothing(folder: Path) -> Path:
    path = folder / "a.csv"
    path.symlink_to(folder / "missing")
    return path


def link_below_a_user(folder: Path) -> Path:
    path = folder / "anna" / "a.csv"
    path.parent.mkdir()
    path.symlink_to(outside(folder) / "theirs.csv")
    return path


def pipe(folder: Path) -> Path:
    path = folder / "a.zip"
    os.mkfifo(path)
    return path


def unix_socket(folder: Path) -> Path:
    path = folder / "a.csv"
    before = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    finally:
        os.chdir(before)
    return path


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (link_to_a_file, "a symbolic link"),
        (link_to_a_folder, "a symbolic link"),
        (link_to_nothing, "a symbolic link"),
        (link_below_a_user, "a symbolic link"),
        (pipe, "a pipe"),
        (unix_socket, "a socket"),
    ],
)
def test_what_is_no_file_stays_with_a_reason_and_stops_no_export(
    folder: Path, imports: Imports, make: Callable[[Path], Path], kind: str
) -> None:
    path = make(folder)
    outside_files = {p: p.read_bytes() for p in folder.parents[1].glob("outside/*")}
    after = write_tidy(folder / "b.csv", ROW)
    log: list[str] = []
    for _ in range(2):
        waiting = inbox.waiting_exports(folder, settle_seconds=0)
        assert path in [each.path for each in waiting]
        inbox.import_waiting(waiting, imports, ZONE, log.append)
        assert not after.exists()
        assert [each.name for each in imports.all()] == ["b.csv"]
        (rejected,) = imports.rejected()
        name = path.relative_to(folder).as_posix()
        assert (rejected.file, rejected.reason) == (name, f"it is {kind}, which is not read")
    assert any(f"{name} stays in the inbox: it is {kind}" in line for line in log)
    assert os.path.lexists(path)
    assert {p: p.read_bytes() for p in outside_files} == outside_files


def test_a_folder_with_links_and_pipes_is_imported_without_them(
    folder: Path, imports: Imports
) -> None:
    theirs = outside(folder)
    export = folder / "anna" / "export"
    write_tidy(export / "days.csv", ROW)
    (export / "link.csv").symlink_to(theirs / "theirs.csv")
    (export / "folder").symlink_to(theirs)
    os.mkfifo(export / "export.zip")
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    inbox.import_waiting(waiting, imports, ZONE, lambda _: None)
    (info,) = imports.all()
    assert {(each.file, each.reason) for each in info.quarantined} == {
        ("export.zip", "it is a pipe, which is not read"),
        ("folder", "it is a symbolic link, which is not read"),
        ("link.csv", "it is a symbolic link, which is not read"),
    }
    assert not export.exists()
    assert (theirs / "theirs.csv").exists()


def test_a_hard_link_is_imported_and_its_other_name_stays(folder: Path, imports: Imports) -> None:
    theirs = outside(folder) / "theirs.csv"
    (folder / "a.csv").hardlink_to(theirs)
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    inbox.import_waiting(waiting, imports, ZONE, lambda _: None)
    assert [each.name for each in imports.all()] == ["a.csv"]
    assert theirs.read_text().endswith(f"{ROW}\n")
    assert not list(folder.iterdir())


def test_a_folder_that_becomes_a_link_is_not_followed_when_it_is_emptied(tmp_path: Path) -> None:
    kept = write_tidy(tmp_path / "outside" / "a.csv", ROW)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "anna").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="anna"):
        originals.remove_below(tmp_path / "inbox", tmp_path / "inbox" / "anna" / "a.csv")
    originals.remove_below(tmp_path / "inbox", tmp_path / "inbox" / "anna")
    assert kept.exists()
    assert not list((tmp_path / "inbox").iterdir())


def test_an_unreadable_file_stays_and_is_reported_until_it_can_be_read(
    folder: Path, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = write_tidy(folder / "anna" / "export" / "a.csv", ROW)
    write_tidy(folder / "b.csv", ROW.replace("05", "06"))
    os_open = os.open

    def denied(path: str | Path, *args: int, **named: int) -> int:
        if Path(path) == secret:
            raise PermissionError(13, "Permission denied", str(path))
        return os_open(path, *args, **named)

    with monkeypatch.context() as patched:
        # The tests may run as root, who can read every file.
        patched.setattr(os, "open", denied)
        waiting = inbox.waiting_exports(folder, settle_seconds=0)
        inbox.import_waiting(waiting, imports, ZONE, lambda _: None)
    assert [each.name for each in imports.all()] == ["b.csv"]
    assert secret.exists()
    (rejected,) = imports.rejected()
    assert rejected.file == "anna/export"
    assert rejected.reason == f"{secret}: Permission denied"
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    inbox.import_waiting(waiting, imports, ZONE, lambda _: None)
    assert {each.name for each in imports.all()} == {"export", "b.csv"}
    assert imports.rejected() == []


def test_names_that_are_not_text_are_imported_or_named(folder: Path, imports: Imports) -> None:
    undecodable = Path(os.fsdecode(b"a\xff.csv"))
    write_tidy(folder / undecodable, ROW)
    write_tidy(folder / "export" / "inner" / undecodable, ROW.replace("05", "06"))
    write_tidy(folder / os.fsdecode(b"user\xff") / "b.csv", ROW)
    write_tidy(folder / "\u200b" / "c.csv", ROW, ROW)
    write_tidy(folder / "z.csv", ROW.replace("05", "07"))
    log: list[str] = []
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    inbox.import_waiting(waiting, imports, ZONE, log.append)
    assert {each.name for each in imports.all()} == {"a\\udcff.csv", "inner", "z.csv"}
    assert len(imports.rejected()) == 2
    assert all("the user id" in each.reason for each in imports.rejected())
    assert all(line.isprintable() for line in log)


@pytest.mark.parametrize("name", ["layout.toml", "sources.toml"])
@pytest.mark.parametrize(
    "content",
    [
        "columns = " + "[" * 5_000,
        "a." * 5_000 + "b = 1",
        "x = 1",
        "\0",
        "#" * (1 << 20),
        "[columns]\ndate = {column = 'x', unit = [1]}\nsteps = {column = 's', values = [1]}",
        "[columns]\ndistance_km = {column = 'x', unit = [1]}\ndate = 'd'",
        "order = [" + "[" * 400 + "]" * 400 + "]",
        "date_format = '%d%d'\n[columns]\ndate = 'd'",
        "date_format = '%'\n[columns]\ndate = 'd'",
        "encoding = 'idna'\n[columns]\ndate = 'd'",
        "encoding = 'hex'\n[columns]\ndate = 'd'",
        None,
    ],
)
def test_an_invalid_declaration_costs_only_its_exports(
    folder: Path, imports: Imports, name: str, content: str | None
) -> None:
    write_tidy(folder / "anna" / "a.csv", ROW)
    declared = folder / "anna" / name
    if content is None:
        os.mkfifo(declared)
    else:
        declared.write_text(content)
    write_tidy(folder / "b.csv", ROW)
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    inbox.import_waiting(waiting, imports, ZONE, lambda _: None)
    assert [each.name for each in imports.all()] == ["b.csv"]
    (rejected,) = imports.rejected()
    assert rejected.file == "a.csv"
    assert name in rejected.reason
    assert len(rejected.reason) < 400


def test_a_folder_in_place_of_a_declaration_is_named(folder: Path, imports: Imports) -> None:
    write_tidy(folder / "anna" / "a.csv", ROW)
    (folder / "anna" / "layout.toml").mkdir()
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    inbox.import_waiting(waiting, imports, ZONE, lambda _: None)
    (rejected,) = imports.rejected()
    assert "layout.toml cannot be read as TOML: it is a folder, which is not read" in (
        rejected.reason
    )


@pytest.mark.parametrize("years", [-60, 10, 500])
def test_a_wrong_time_of_a_file_does_not_matter(folder: Path, imports: Imports, years: int) -> None:
    moment = time.time() + years * 365 * 86_400
    path = write_tidy(folder / "export" / "inner" / "a.csv", ROW)
    os.utime(path, (moment, moment))
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    assert [each.changed <= time.time() for each in waiting] == [True]
    inbox.import_waiting(waiting, imports, ZONE, lambda _: None)
    assert [each.name for each in imports.all()] == ["inner"]
    assert not list((folder / "export").iterdir())


def test_a_file_that_grows_while_it_is_imported_stays(
    folder: Path, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = write_tidy(folder / "a.csv", ROW)
    write_tidy(folder / "b.csv", ROW.replace("05", "06"))
    copy = originals.copy

    def copy_and_grow(path: Path, kept: Path) -> None:
        copy(path, kept)
        if path == growing:
            with path.open("a") as file:
                file.write(ROW.replace("05", "07") + "\n")

    log: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(originals, "copy", copy_and_grow)
        waiting = inbox.waiting_exports(folder, settle_seconds=0)
        inbox.import_waiting(waiting, imports, ZONE, log.append)
    assert [each.name for each in imports.all()] == ["b.csv"]
    assert "a.csv stays in the inbox" in log[0]
    assert "changed while it was imported" in log[0]
    inbox.import_waiting(inbox.waiting_exports(folder, 0), imports, ZONE, log.append)
    assert not growing.exists()
    assert {month for each in imports.all() for month in each.months} == {
        "2023-05", "2023-06", "2023-07",
    }  # fmt: skip


def test_an_unexpected_error_is_raised_after_the_last_export(
    folder: Path, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tidy(folder / "a.csv", ROW)
    write_tidy(folder / "b.csv", ROW.replace("05", "06"))
    digest = originals.digest

    def failing(path: Path) -> str:
        if path.name == "a.csv":
            raise ZeroDivisionError("\x1b[31m\nb.csv: all is well")
        return digest(path)

    monkeypatch.setattr(originals, "digest", failing)
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    log: list[str] = []
    with pytest.raises(ZeroDivisionError):
        inbox.import_waiting(waiting, imports, ZONE, log.append)
    assert log[0].startswith("a.csv stays in the inbox: ZeroDivisionError: \\x1b[31m b.csv: all")
    assert [printable(line) for line in log] == log
    assert [each.name for each in imports.all()] == ["b.csv"]
    assert (folder / "a.csv").exists()
