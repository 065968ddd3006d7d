"""Imports of exports, the inbox and pseudonyms."""

import json
import os
import stat
import time
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import SourceError, StorageError
from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources import inbox
from fitness_assets.sources.exports import layout
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.import_manifest import QuarantineEntry
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.publication import read_manifest
from fitness_assets.storage.writer import Writer
from fitness_assets_tests.support.tidy import two_users, write_tidy

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
#: Fields of an import's document that version 2 of it does not have.
SINCE_VERSION_3 = {"not_worn", "traits_since", "reader", "older_reader", "workouts"}


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path / "imports", Pseudonyms(tmp_path / "people"))


def rows(imports: Imports, month: str) -> list[tuple[str, date, int]]:
    table = pa.Table.from_batches(imports.read(month), SCHEMA)
    found = zip(*(table[name].to_pylist() for name in ("user_id", "date", "steps")), strict=True)
    return sorted(found)


def stored_files(tmp_path: Path) -> dict[Path, int]:
    """The files of all imports, with the times of their last changes."""
    return {p: p.stat().st_mtime_ns for p in (tmp_path / "imports").rglob("*") if p.is_file()}


def test_an_export_is_read_once_by_month_under_pseudonyms(tmp_path: Path, imports: Imports) -> None:
    path = two_users(tmp_path)
    info, changed = imports.add(path, ImportOptions())
    assert changed == {"2023-04", "2023-05"}
    assert info.months == {"2023-04": 1, "2023-05": 2}
    assert (info.sources, info.quarantined) == (["tidy"], [])
    pseudonyms = Pseudonyms(tmp_path / "people")
    anna, bert = pseudonyms.pseudonym("anna"), pseudonyms.pseudonym("bert")
    assert info.users == sorted([anna, bert])
    assert imports.all() == [info]
    assert rows(imports, "2023-04") == [(anna, date(2023, 4, 30), 1000)]
    assert rows(imports, "2023-05") == sorted(
        [(anna, date(2023, 5, 1), 2000), (bert, date(2023, 5, 1), 3000)]
    )
    kept = [p for p in (tmp_path / "imports").rglob("original-*") if p.is_file()]
    assert [p.read_bytes() for p in kept] == [path.read_bytes()]
    with pytest.raises(SourceError, match="no import holds records of 2023-06"):
        rows(imports, "2023-06")


def test_importing_the_same_export_twice_changes_nothing(tmp_path: Path, imports: Imports) -> None:
    path = two_users(tmp_path)
    imports.add(path, ImportOptions(delivered=FIRST))
    version = imports.version("2023-05")
    before = stored_files(tmp_path)
    copy = path.rename(tmp_path / "another name.csv")
    assert imports.add(copy, ImportOptions())[1] == set()
    assert stored_files(tmp_path) == before
    assert imports.version("2023-05") == version


def test_an_import_changes_the_versions_of_its_own_months_only(
    tmp_path: Path, imports: Imports
) -> None:
    imports.add(two_users(tmp_path), ImportOptions())
    before = {month: imports.version(month) for month in imports.months()}
    more = write_tidy(tmp_path / "more.csv", "anna,2023-05-02,1,1800,70,7,walking")
    assert imports.add(more, ImportOptions())[1] == {"2023-05"}
    assert imports.version("2023-04") == before["2023-04"]
    assert imports.version("2023-05") != before["2023-05"]


def test_importing_with_other_options_replaces_the_earlier_import(
    tmp_path: Path, imports: Imports
) -> None:
    path = tmp_path / "days.csv"
    path.write_text("Day,Paces\n30/04/2023,1000\n")
    declared = {"date_format": "%d/%m/%Y", "columns": {"date": "Day", "steps": "Paces"}}
    parsed = layout.parse(declared)
    imports.add(path, ImportOptions(user="anna", layout=parsed))
    assert len(imports.add(path, ImportOptions(user="bert", layout=parsed))[1]) == 1
    bert = Pseudonyms(tmp_path / "people").pseudonym("bert")
    assert rows(imports, "2023-04") == [(bert, date(2023, 4, 30), 1000)]
    assert len(imports.all()) == 1
    assert imports.add(path, ImportOptions(user="bert", layout=parsed))[1] == set()
    # The records are the same, but the options differ: the import is stored again.
    declared_zone = ImportOptions(user="bert", layout=parsed, zone=UTC_ZONE)
    imports.add(path, declared_zone)
    assert (imports.all()[0].options.zone, imports.all()[0].options.source_order) == ("UTC", [])
    imports.add(path, ImportOptions(user="bert", layout=parsed, source_order=("watch",)))
    assert (imports.all()[0].options.zone, imports.all()[0].options.source_order) == (
        None,
        ["watch"],
    )


def test_unusable_rows_are_quarantined_with_their_place_and_the_others_imported(
    tmp_path: Path, imports: Imports
) -> None:
    path = write_tidy(
        tmp_path / "days.csv",
        "anna,2023-04-30,1000,1800,70,7,walking",
        "anna,someday,1000,1800,70,7,walking",
    )
    info, _ = imports.add(path, ImportOptions())
    assert info.months == {"2023-04": 1}
    (entry,) = info.quarantined
    assert entry.file == "days.csv"
    assert "3" in entry.place
    assert "date" in entry.reason
    unknown = tmp_path / "holiday.csv"
    unknown.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="is not in a known format"):
        imports.add(unknown, ImportOptions())
    with pytest.raises(SourceError, match="does not exist"):
        imports.add(tmp_path / "missing.zip", ImportOptions())
    assert [each.name for each in imports.all()] == ["days.csv"]


def rewrite_info(folder: Path, info: dict[str, object]) -> None:
    """Publish the files of `folder` again with another `info`."""
    manifest = read_manifest(folder)
    assert manifest is not None
    with Writer(folder) as writer:
        for file in manifest.files:
            (writer.staging / file.name).write_bytes((folder / file.path).read_bytes())
        writer.publish(info)


def version_1(info: dict[str, object]) -> dict[str, object]:
    """The document that version 0.1 of the platform stored for the same import."""
    old_keys = {"options": "told", "quarantined": "left_out"}
    later = {"version", "files", "user", *SINCE_VERSION_3}
    return {old_keys.get(key, key): info[key] for key in info.keys() - later}


def test_an_import_stored_by_version_0_1_is_still_read(tmp_path: Path, imports: Imports) -> None:
    path = write_tidy(
        tmp_path / "days.csv",
        "anna,2023-04-30,1000,1800,70,7,walking",
        "bert,2023-05-01,1000,1800,70,7,walking",
        "anna,someday,1000,1800,70,7,walking",
    )
    unknown = tmp_path / "holiday.csv"
    unknown.write_text("a,b\n1,2\n")
    info, _ = imports.add(path, ImportOptions(delivered=FIRST))
    imports.reject(unknown, "of no known format")
    version, found = imports.version("2023-04"), rows(imports, "2023-04")
    folders = [path for path in (tmp_path / "imports").iterdir() if path.is_dir()]
    assert len(folders) == 2
    for folder in folders:
        manifest = read_manifest(folder)
        assert manifest is not None
        old = version_1(dict(manifest.info))
        if "delivered" in old:
            assert set(old) == {
                *("digest", "name", "told", "delivered", "months", "users", "sources", "left_out")
            }
            old["delivered"] = FIRST.isoformat()
        else:
            assert set(old) == {"name", "left_out"}
        rewrite_info(folder, old)

    info = msgspec.structs.replace(info, files=[], reader=1)
    assert imports.all() == [info]
    assert imports.rejected() == [
        QuarantineEntry(file="holiday.csv", place="", reason="of no known format")
    ]
    assert (imports.version("2023-04"), rows(imports, "2023-04")) == (version, found)
    anna = Pseudonyms(tmp_path / "people").pseudonym("anna")
    imports.forget(anna)
    (left,) = imports.all()
    assert (anna in left.users, left.months) == (False, {"2023-05": 1})
    assert left.quarantined == [], "a quarantined row does not say whose it is"


def test_a_column_that_a_stored_import_lacks_is_null(tmp_path: Path, imports: Imports) -> None:
    imports.add(two_users(tmp_path), ImportOptions())
    (folder,) = (path for path in (tmp_path / "imports").iterdir() if path.is_dir())
    manifest = read_manifest(folder)
    assert manifest is not None
    month = next(iter(imports.all()[0].months))
    before = rows(imports, month)
    with Writer(folder) as writer:
        for file in manifest.files:
            path = folder / file.path
            if path.suffix == ".parquet":
                table = pq.read_table(path).drop_columns(["sleep_hours"])
                pq.write_table(table, writer.staging / file.name)
            else:
                (writer.staging / file.name).write_bytes(path.read_bytes())
        writer.publish(dict(manifest.info))
    assert rows(imports, month) == before
    assert all(batch["sleep_hours"].null_count == len(batch) for batch in imports.read(month))


def test_an_import_stored_by_a_newer_version_names_the_folder(
    tmp_path: Path, imports: Imports
) -> None:
    imports.add(two_users(tmp_path), ImportOptions())
    (folder,) = (tmp_path / "imports").iterdir()
    manifest = read_manifest(folder)
    assert manifest is not None
    version = imports.all()[0].version
    rewrite_info(folder, {**manifest.info, "version": version + 1})
    message = f"^{folder} has version {version + 1} .* reads up to {version}: update it$"
    for use in (imports.all, imports.months, lambda: rows(imports, "2023-04")):
        with pytest.raises(StorageError, match=message):
            use()
    with pytest.raises(StorageError, match=message):
        imports.add(write_tidy(tmp_path / "more.csv"), ImportOptions())


def test_a_stored_import_that_lacks_a_field_is_named(tmp_path: Path, imports: Imports) -> None:
    imports.add(two_users(tmp_path), ImportOptions())
    (folder,) = (tmp_path / "imports").iterdir()
    manifest = read_manifest(folder)
    assert manifest is not None
    rewrite_info(folder, {key: manifest.info[key] for key in manifest.info.keys() - {"users"}})
    with pytest.raises(StorageError, match=f"{folder} cannot be read: .*users"):
        imports.all()


def test_the_stored_options_contain_no_name(tmp_path: Path, imports: Imports) -> None:
    path = write_tidy(tmp_path / "days.csv", ",2023-04-30,1000,1800,70,7,walking")
    info, _ = imports.add(path, ImportOptions(user="anna"))
    assert info.options.user == Pseudonyms(tmp_path / "people").pseudonym("anna")
    (folder,) = (tmp_path / "imports").iterdir()
    manifest = read_manifest(folder)
    assert manifest is not None
    assert "anna" not in json.dumps(manifest.info)


def test_a_pseudonym_depends_on_the_name_and_the_key(tmp_path: Path) -> None:
    here, there = Pseudonyms(tmp_path / "here"), Pseudonyms(tmp_path / "there")
    assert here.pseudonym("anna") == Pseudonyms(tmp_path / "here").pseudonym("anna")
    assert len({here.pseudonym("anna"), here.pseudonym("bert"), there.pseudonym("anna")}) == 3
    key = tmp_path / "here" / "pseudonyms.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "anna" not in here.pseudonym("anna")


def test_a_forgotten_user_is_not_imported_again(tmp_path: Path, imports: Imports) -> None:
    path = two_users(tmp_path)
    alone = write_tidy(tmp_path / "alone.csv", "anna,2023-06-01,1,1800,70,7,walking")
    imports.add(path, ImportOptions())
    imports.add(alone, ImportOptions())
    pseudonyms = Pseudonyms(tmp_path / "people")
    anna, bert = pseudonyms.pseudonym("anna"), pseudonyms.pseudonym("bert")
    pseudonyms.forget(anna)
    imports.forget(anna)
    (left,) = imports.all()
    assert (left.users, left.months) == ([bert], {"2023-05": 1})
    assert not list((tmp_path / "imports").rglob("original*"))
    again = write_tidy(tmp_path / "again.csv", *path.read_text().splitlines()[1:], "")
    imports.add(again, ImportOptions())
    assert {user for each in imports.all() for user in each.users} == {bert}


def test_the_inbox_is_emptied_into_the_imports(tmp_path: Path, imports: Imports) -> None:
    folder = tmp_path / "inbox"
    assert inbox.waiting_exports(folder) == []
    own = write_tidy(folder / "days.csv", "bert,2023-05-01,1,1800,70,7,walking")
    theirs = folder / "anna" / "paces.csv"
    theirs.parent.mkdir()
    theirs.write_text("Day,Paces\n2023-04-30,1000\n")
    (folder / "anna" / "layout.toml").write_text('[columns]\ndate = "Day"\nsteps = "Paces"\n')
    bad = folder / "holiday.csv"
    bad.write_text("a,b\n1,2\n")
    assert inbox.waiting_exports(folder) == [], "a file that has just changed may be incomplete"
    log: list[str] = []
    waiting = inbox.waiting_exports(folder, settle_seconds=0)
    assert {each.path for each in waiting} == {own, theirs, bad}
    changed = inbox.import_waiting(waiting, imports, UTC_ZONE, log.append)
    assert changed == {"2023-04", "2023-05"}
    anna = Pseudonyms(tmp_path / "people").pseudonym("anna")
    assert rows(imports, "2023-04") == [(anna, date(2023, 4, 30), 1000)]
    assert inbox.waiting_exports(folder, settle_seconds=0) == []
    (rejected,) = imports.rejected()
    assert rejected.file == "holiday.csv"
    assert "is not in a known format" in rejected.reason
    assert any("holiday.csv was rejected" in line for line in log)
    kept = [p for p in (tmp_path / "imports").rglob("original-*.csv") if p.is_file()]
    assert b"a,b\n1,2\n" in [p.read_bytes() for p in kept]


def test_an_order_of_sources_in_the_inbox_belongs_to_its_user(
    tmp_path: Path, imports: Imports
) -> None:
    for user in ("anna", "bert"):
        records = "".join(
            f'<Record type="HKQuantityTypeIdentifierStepCount" sourceName="{source}" unit="count" '
            f'startDate="2023-04-02 10:00:00 +0000" value="{steps}"/>'
            for source, steps in (("Watch", 700), ("iPhone", 900))
        )
        path = tmp_path / "inbox" / user / "export.xml"
        path.parent.mkdir(parents=True)
        path.write_text(f"<HealthData><!-- {user} -->{records}</HealthData>")
    (tmp_path / "inbox" / "anna" / "sources.toml").write_text('order = ["phone"]\n')
    waiting = inbox.waiting_exports(tmp_path / "inbox", settle_seconds=0)
    inbox.import_waiting(waiting, imports, UTC_ZONE, lambda _: None)
    pseudonyms = Pseudonyms(tmp_path / "people")
    steps = {user: steps for user, _, steps in rows(imports, "2023-04")}
    assert steps == {pseudonyms.pseudonym("anna"): 900, pseudonyms.pseudonym("bert"): 700}


def test_a_copy_that_preserves_the_modification_time_is_not_imported_too_early(
    tmp_path: Path,
) -> None:
    path = write_tidy(tmp_path / "inbox" / "days.csv", "bert,2023-05-01,1,1800,70,7,walking")
    os.utime(path, (0, 0))
    (waiting,) = inbox.waiting_exports(tmp_path / "inbox", settle_seconds=0)
    assert waiting.changed == pytest.approx(time.time(), abs=60)


def test_a_value_that_will_be_null_is_quarantined(tmp_path: Path, imports: Imports) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user_id,date,steps,distance_km\nanna,2023-04-30,5,7125\nbert,2023-04-30,5,1\n")
    info, _ = imports.add(path, ImportOptions())
    anna = Pseudonyms(tmp_path / "people").pseudonym("anna")
    assert info.quarantined == [
        QuarantineEntry(
            file="tidy",
            place=f"{anna}, 2023-04-30",
            reason="distance_km is 7125, not in 0 to 300: null in the lake",
        )
    ]
    (file,) = info.files
    assert (file.file, file.records, file.columns) == ("x.csv", 2, ["distance_km", "steps"])


@pytest.mark.parametrize("spelling", ["Jürgen", "Ju\u0308rgen", " Jürgen\u200b", "Jürgen\u00a0"])
def test_spellings_that_look_the_same_have_one_pseudonym(tmp_path: Path, spelling: str) -> None:
    people = Pseudonyms(tmp_path / "people")
    assert people.pseudonym(spelling) == people.pseudonym("Jürgen")
    assert people.pseudonym("Jurgen") != people.pseudonym("Jürgen")


@pytest.mark.parametrize("name", ["", " \u200b", "J\ufffdrgen"])
def test_a_name_without_visible_letters_or_with_a_lost_one_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(SourceError, match="the user id"):
        Pseudonyms(tmp_path / "people").pseudonym(name)


def test_a_user_whom_an_earlier_version_stored_under_another_spelling_is_reported(
    tmp_path: Path, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Date,Step count,Distance (m)\n2023-04-30,5,4\n")
    with monkeypatch.context() as patched:
        patched.setattr(Pseudonyms, "pseudonym", Pseudonyms.pseudonym_as_written)
        before, _ = imports.add(path, ImportOptions(user="Ju\u0308rgen"))
    path.write_text("Date,Step count,Distance (m)\n2023-05-01,5,4\n")
    info, _ = imports.add(path, ImportOptions(user="Jürgen"))
    (entry,) = info.quarantined
    assert entry.place == info.users[0]
    assert f"an earlier import has the same user as {before.users[0]}" in entry.reason


def test_days_not_worn_are_counted_by_format(tmp_path: Path, imports: Imports) -> None:
    tidy = write_tidy(
        tmp_path / "export" / "days.csv",
        "anna,2023-04-01,0,1500,,,",
        "anna,2023-04-02,0,1500,60,7,",
        "anna,2023-04-03,500,1500,,,",
    )
    header = "Id,ActivityDate,TotalSteps,SedentaryMinutes,Calories"
    fitabase = "77,4/12/2016,0,1440,1347\n77,4/13/2016,0,1440,1347\n77,4/14/2016,0,700,1347\n"
    (tidy.parent / "dailyActivity_merged.csv").write_text(f"{header}\n{fitabase}")
    info, _ = imports.add(tidy.parent, ImportOptions())
    assert info.not_worn == {"fitabase": 2, "tidy": 1}
