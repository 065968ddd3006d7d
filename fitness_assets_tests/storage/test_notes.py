"""Notes and names of users: documents that stay in the home."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
import pytest

from fitness_assets.errors import StorageError
from fitness_assets.sources.configured import configured_imports, configured_names
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.storage import notes as stored_notes
from fitness_assets.storage.imported_names import ImportedNames
from fitness_assets.storage.notes import Note, NoteStore, checked
from fitness_assets.storage.traces import Traces
from fitness_assets_tests.support.platform import MakeSettings
from fitness_assets_tests.support.tidy import write_tidy

ANNA, BEN = "p0000000000000000000a", "p0000000000000000000b"


def note(number: int = 1, user: str = ANNA, text: str = "flu") -> Note:
    return Note(
        id=f"{number}",
        user=user,
        kind="illness",
        first=date(2023, 5, number),
        last=date(2023, 5, number + 2),
        text=text,
    )


def test_notes_are_added_changed_and_removed(tmp_path: Path) -> None:
    store = NoteStore(tmp_path / "people")
    assert store.is_writable
    assert store.of(ANNA) == []
    for each in (note(1), note(3), note(2), note(1, BEN)):
        store.put(each)
    assert [each.id for each in store.of(ANNA)] == ["3", "2", "1"]
    changed = msgspec.structs.replace(note(3), kind="holiday", text="Oslo")
    store.put(changed)
    assert store.of(ANNA)[0] == changed
    store.remove(ANNA, "1")
    assert [each.id for each in store.of(ANNA)] == ["3", "2"]
    assert store.of(BEN) == [note(1, BEN)]
    assert (tmp_path / "people" / "notes.json").stat().st_mode & 0o777 == 0o600


def test_a_note_is_one_short_line_with_dates_in_order() -> None:
    assert checked(note(text="flu\nand\x1bfever ")).text == "flu and\\x1bfever"
    with pytest.raises(ValueError, match="before it begins on 2023-05-01"):
        checked(msgspec.structs.replace(note(), last=date(2023, 4, 1)))
    with pytest.raises(ValueError, match="201 characters; 200 are possible"):
        checked(note(text="x" * 201))


def test_a_user_has_a_limited_number_of_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_notes, "MAX_NOTES", 2)
    store = NoteStore(tmp_path)
    for number in (1, 2, 2):
        store.put(note(number))
    with pytest.raises(StorageError, match="2 notes already"):
        store.put(note(3))
    store.put(note(3, BEN))


def test_a_damaged_document_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('{"notes": [{"user": 1}]}')
    with pytest.raises(StorageError, match=r"notes\.json"):
        NoteStore(tmp_path).of(ANNA)


def test_forgetting_a_user_removes_their_notes_and_their_name_in_those_of_others(
    tmp_path: Path,
) -> None:
    store, names = NoteStore(tmp_path), ImportedNames(tmp_path)
    for each in (note(1), note(2, BEN, "dinner with Anna Quill")):
        store.put(each)
    names.add({ANNA: "Anna Quill", BEN: "ben"})
    store.forget({ANNA}, Traces([ANNA], ["Anna Quill"]))
    names.forget({ANNA})
    assert store.of(ANNA) == []
    assert [each.text for each in store.of(BEN)] == ["dinner with forgotten-user"]
    assert names.all() == {BEN: "ben"}
    for file in ("notes.json", "names.json"):
        assert ANNA not in (tmp_path / file).read_text()
    assert (tmp_path / "names.json").stat().st_mode & 0o777 == 0o600


def test_an_import_stores_the_names_of_its_users_in_the_home(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path / "home", FITNESS_SOURCE="exports")
    imports, names = configured_imports(settings), configured_names(settings)
    rows = "Zoë Quill,2023-05-01,4000,1900,66,7,walking"
    info, _ = imports.add(write_tidy(tmp_path / "a.csv", rows), ImportOptions())
    (user,) = info.users
    assert names.all() == {user: "Zoë Quill"}
    # Imported by a version that stored no names: the same import again adds it.
    one = write_tidy(tmp_path / "b.csv", ",2023-05-02,4000,1900,66,7,walking")
    options = ImportOptions(user="me")
    imports.add(one, options)
    names.forget(names.all())
    imports.add(one, replace(options))
    assert list(names.all().values()) == ["me"]
