"""The dated notes of a user, such as an illness, that explain the numbers of a period."""

from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import clip
from fitness_assets.answers.periods import Period
from fitness_assets.errors import StorageError
from fitness_assets.storage.notes import Note

# Notes of a period that an answer shows.
_MOST = 4


def notes_in(home: Home, user: str, *periods: Period) -> list[str]:
    """The notes on days of `periods`, latest first, each as one line."""
    try:
        found = [note for note in home.notes(user) if any(_is_in(note, each) for each in periods)]
    except StorageError:
        return ["the dated notes cannot be read"]
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return [*map(_text, found[:_MOST]), *more]


def _is_in(note: Note, period: Period) -> bool:
    return note.first <= period.last and note.last >= period.first


def _text(note: Note) -> str:
    days = str(note.first) if note.first == note.last else f"{note.first}..{note.last}"
    return f"{days} {note.kind}" + (f": {clip(note.text)}" if note.text else "")
