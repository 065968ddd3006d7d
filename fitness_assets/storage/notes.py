"""Dated notes of users, such as an illness or a holiday. They stay in the home."""

import os
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path
from typing import Literal, get_args

import msgspec

from fitness_assets.errors import StorageError
from fitness_assets.storage import documents
from fitness_assets.storage.publication import locked, write_atomically
from fitness_assets.storage.traces import Traces
from fitness_assets.text import printable

_FILE = "notes.json"
_OWNER_ONLY = 0o600
#: Limits on the characters of a note and on the notes of a user.
MAX_LENGTH, MAX_NOTES = 200, 500
_MAX_BYTES = 20_000_000

NoteKind = Literal["illness", "holiday", "injury", "other"]
KINDS: tuple[NoteKind, ...] = get_args(NoteKind)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A note on the days from `first` to `last`, both included.

    Attributes
    ----------
    id : str
    user : str
        The user id of the lake.
    kind : NoteKind
    first, last : date
    text : str
        May be empty.
    """

    id: str
    user: str
    kind: NoteKind
    first: date
    last: date
    text: str


class _Notes(msgspec.Struct, frozen=True, kw_only=True):
    notes: list[Note]
    version: int = 1


def checked(note: Note) -> Note:
    """`note` with its text on one line.

    Raises
    ------
    ValueError
        If it ends before it begins, or its text is too long. The message is a sentence.
    """
    if note.last < note.first:
        raise ValueError(f"The note ends on {note.last}, before it begins on {note.first}.")
    text = printable(note.text).strip()
    if len(text) > MAX_LENGTH:
        raise ValueError(f"The text has {len(text)} characters; {MAX_LENGTH} are possible.")
    return msgspec.structs.replace(note, text=text)


class NoteStore:
    """The notes in one folder, which only its owner may read.

    Parameters
    ----------
    folder : Path
        ``HOME/people``.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    @property
    def is_writable(self) -> bool:
        """Whether notes can be stored."""
        folder = self._path.parent
        # The folder is created with the first note.
        existing = folder if folder.exists() else folder.parent
        return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)

    def of(self, user: str) -> list[Note]:
        """The notes of `user`, latest first.

        Raises
        ------
        StorageError
            If the document cannot be read.
        """
        own = (note for note in self._all() if note.user == user)
        return sorted(own, key=lambda note: (note.first, note.last, note.id), reverse=True)

    def put(self, note: Note) -> None:
        """Store `note` in place of the one with the same user and id, if there is one.

        Raises
        ------
        StorageError
            If the user has `MAX_NOTES` others.
        """

        def change(notes: list[Note]) -> list[Note]:
            others = _without(notes, note.user, note.id)
            if sum(each.user == note.user for each in others) >= MAX_NOTES:
                raise StorageError(f"there are {MAX_NOTES} notes already, the most of a user")
            return [*others, note]

        self._change(change)

    def remove(self, user: str, note_id: str) -> None:
        """Remove one note of `user`, if it is there."""
        self._change(lambda notes: _without(notes, user, note_id))

    def forget(self, users: Collection[str], traces: Traces) -> None:
        """Remove the notes of `users`, and what names them in the notes of others."""
        if not self._path.is_file():
            return
        self._change(
            lambda notes: [
                msgspec.structs.replace(note, text=traces.rewrite(note.text))
                for note in notes
                if note.user not in users
            ]
        )

    def _all(self) -> list[Note]:
        if not self._path.is_file():
            return []
        return documents.decode(self._path.read_bytes(), _Notes, str(self._path), _MAX_BYTES).notes

    def _change(self, change: Callable[[list[Note]], list[Note]]) -> None:
        with locked(self._path.parent):
            notes = self._all()
            changed = change(notes)
            if changed != notes:
                content = documents.encode(_Notes(notes=changed))
                write_atomically(self._path, content, _OWNER_ONLY)


def _without(notes: list[Note], user: str, note_id: str) -> list[Note]:
    return [note for note in notes if (note.user, note.id) != (user, note_id)]
