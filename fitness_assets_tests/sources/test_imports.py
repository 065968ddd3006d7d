"""Exports that are taken in, the inbox, and who is behind a pseudonym."""

import os
import stat
import time
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources import inbox
from fitness_assets.sources.exports import layout
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
HEADER = "user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path / "imports", Pseudonyms(tmp_path / "people"))


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def two_people(folder: Path) -> Path:
    return write(
        folder / "days.csv",
        "anna,2023-04-30,1000,1800,70,7,walking",
        "anna,2023-05-01,2000,1900,71,7,walking",
        "bert,2023-05-01,3000,2400,65,6,running",
    )


def rows(imports: Imports, month: str) -> list[tuple[str, date, int]]:
    table = pa.Table.from_batches(imports.read(month), SCHEMA)
    found = zip(*(table[name].to_pylist() for name in ("user_id", "date", "steps")), strict=True)
    return sorted(found)


def test_an_export_is_read_once_by_month_under_pseudonyms(tmp_path: Path, imports: Imports) -> None:
    path = two_people(tmp_path)
    added, touched = imports.add(path, ImportOptions())
    assert touched == {"2023-04", "2023-05"}
    assert added.months == {"2023-04": 1, "2023-05": 2}
    assert (added.sources, added.left_out, added.whole) == (["tidy"], [], True)
    people = Pseudonyms(tmp_path / "people")
    anna, bert = people.pseudonym("anna"), people.pseudonym("bert")
    assert added.users == sorted([anna, bert])
    assert rows(imports, "2023-04") == [(anna, date(2023, 4, 30), 1000)]
    assert rows(imports, "2023-05") == sorted(
        [(anna, date(2023, 5, 1), 2000), (bert, date(2023, 5, 1), 3000)]
    )
    kept = [p for p in (tmp_path / "imports").rglob("original-*") if p.is_file()]
    assert [p.read_bytes() for p in kept] == [path.read_bytes()]
    with pytest.raises(SourceError, match="no import holds records of 2023-06"):
        rows(imports, "2023-06")


def test_the_same_export_again_changes_nothing(tmp_path: Path, imports: Imports) -> None:
    path = two_people(tmp_path)
    imports.add(path, ImportOptions(delivered=FIRST))
    version = imports.version("2023-05")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "imports").rglob("*") if p.is_file()}
    copy = path.rename(tmp_path / "another name.csv")
    assert imports.add(copy, ImportOptions())[1] == set()
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "imports").rglob("*") if p.is_file()}
    assert after == before
    assert imports.version("2023-05") == version


def test_only_the_months_that_an_export_changes_have_another_version(
    tmp_path: Path, imports: Imports
) -> None:
    imports.add(two_people(tmp_path), ImportOptions())
    before = {month: imports.version(month) for month in imports.months()}
    more = write(tmp_path / "more.csv", "anna,2023-05-02,1,1800,70,7,walking")
    assert imports.add(more, ImportOptions())[1] == {"2023-05"}
    assert imports.version("2023-04") == before["2023-04"]
    assert imports.version("2023-05") != before["2023-05"]


def test_other_words_about_an_export_replace_what_was_made_of_it(
    tmp_path: Path, imports: Imports
) -> None:
    path = tmp_path / "days.csv"
    path.write_text("Day,Paces\n30/04/2023,1000\n")
    declared = {"date_format": "%d/%m/%Y", "columns": {"date": "Day", "steps": "Paces"}}
    told = layout.parse(declared)
    imports.add(path, ImportOptions(user="anna", layout=told))
    assert len(imports.add(path, ImportOptions(user="bert", layout=told))[1]) == 1
    bert = Pseudonyms(tmp_path / "people").pseudonym("bert")
    assert rows(imports, "2023-04") == [(bert, date(2023, 4, 30), 1000)]
    assert len(imports.all()) == 1


def test_what_cannot_be_used_is_kept_with_its_place_and_the_rest_goes_on(
    tmp_path: Path, imports: Imports
) -> None:
    path = write(
        tmp_path / "days.csv",
        "anna,2023-04-30,1000,1800,70,7,walking",
        "anna,someday,1000,1800,70,7,walking",
    )
    added, _ = imports.add(path, ImportOptions())
    assert added.months == {"2023-04": 1}
    (left_out,) = added.left_out
    assert left_out["file"] == "days.csv"
    assert "3" in left_out["place"]
    assert "date" in left_out["reason"]
    nothing = tmp_path / "holiday.csv"
    nothing.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="is of no known format"):
        imports.add(nothing, ImportOptions())
    with pytest.raises(SourceError, match="does not exist"):
        imports.add(tmp_path / "missing.zip", ImportOptions())
    assert [each.name for each in imports.all()] == ["days.csv"]


def test_a_pseudonym_is_the_same_for_the_same_key_only(tmp_path: Path) -> None:
    here, there = Pseudonyms(tmp_path / "here"), Pseudonyms(tmp_path / "there")
    assert here.pseudonym("anna") == Pseudonyms(tmp_path / "here").pseudonym("anna")
    assert len({here.pseudonym("anna"), here.pseudonym("bert"), there.pseudonym("anna")}) == 3
    key = tmp_path / "here" / "pseudonyms.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "anna" not in here.pseudonym("anna")


def test_who_is_forgotten_is_not_taken_in_again(tmp_path: Path, imports: Imports) -> None:
    path = two_people(tmp_path)
    alone = write(tmp_path / "alone.csv", "anna,2023-06-01,1,1800,70,7,walking")
    imports.add(path, ImportOptions())
    imports.add(alone, ImportOptions())
    people = Pseudonyms(tmp_path / "people")
    anna, bert = people.pseudonym("anna"), people.pseudonym("bert")
    people.forget(anna)
    imports.forget(anna)
    (left,) = imports.all()
    assert (left.users, left.months, left.whole) == ([bert], {"2023-05": 1}, False)
    assert not list((tmp_path / "imports").rglob("original*"))
    again = write(tmp_path / "again.csv", *path.read_text().splitlines()[1:], "")
    imports.add(again, ImportOptions())
    assert {user for each in imports.all() for user in each.users} == {bert}


def drop(path: Path, *lines: str, user: str = "") -> Path:
    """Put a file into the inbox that nobody has touched for a while."""
    return write(path / user / "days.csv", *lines)


def test_the_inbox_is_emptied_into_the_imports(tmp_path: Path, imports: Imports) -> None:
    folder = tmp_path / "inbox"
    assert inbox.waiting(folder) == []
    own = drop(folder, "bert,2023-05-01,1,1800,70,7,walking")
    theirs = folder / "anna" / "paces.csv"
    theirs.parent.mkdir()
    theirs.write_text("Day,Paces\n2023-04-30,1000\n")
    (folder / "anna" / "layout.toml").write_text('[columns]\ndate = "Day"\nsteps = "Paces"\n')
    bad = folder / "holiday.csv"
    bad.write_text("a,b\n1,2\n")
    assert inbox.waiting(folder) == [], "what has just changed is still being copied"
    told: list[str] = []
    waiting = inbox.waiting(folder, settled=0)
    assert {each.path for each in waiting} == {own, theirs, bad}
    changed = inbox.take_in(waiting, imports, UTC_ZONE, told.append)
    assert changed == {"2023-04", "2023-05"}
    anna = Pseudonyms(tmp_path / "people").pseudonym("anna")
    assert rows(imports, "2023-04") == [(anna, date(2023, 4, 30), 1000)]
    assert inbox.waiting(folder, settled=0) == []
    (refused,) = imports.refused()
    assert refused["file"] == "holiday.csv"
    assert "is of no known format" in refused["reason"]
    assert any("holiday.csv was refused" in line for line in told)
    kept = [p for p in (tmp_path / "imports").rglob("original-*.csv") if p.is_file()]
    assert b"a,b\n1,2\n" in [p.read_bytes() for p in kept]


def test_an_export_that_is_copied_with_its_old_time_is_not_taken_too_soon(tmp_path: Path) -> None:
    path = drop(tmp_path / "inbox", "bert,2023-05-01,1,1800,70,7,walking")
    os.utime(path, (0, 0))
    (waiting,) = inbox.waiting(tmp_path / "inbox", settled=0)
    assert waiting.changed == pytest.approx(time.time(), abs=60)
