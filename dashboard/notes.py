"""Dated notes of a user: who may read and change them, and the form to do so.

Notes are in the home of the platform, and in no release. So they exist where the dashboard reads
the releases of its own home.
"""

import logging
import secrets
from datetime import date

import streamlit as st

from dashboard import data, page, visitor
from dashboard.charts.notes import dates_of, text_of
from dashboard.text import label, without_paths
from fitness_assets.errors import StorageError
from fitness_assets.release.people import is_release_id
from fitness_assets.storage.imported_names import ImportedNames
from fitness_assets.storage.notes import KINDS, MAX_LENGTH, Note, NoteStore, checked
from fitness_assets.text import printable, verbatim

_log = logging.getLogger(__name__)

# Dates that can be entered.
_EARLIEST, _LATEST = date(1990, 1, 1), date(2100, 1, 1)
_NEW = "new"
_REMOTE = (
    "Notes are kept in the folder of the platform (FITNESS_HOME). This dashboard reads releases "
    "from elsewhere, so it has no notes."
)
_OTHER_IDS = "Users have other ids in each of these releases, so that notes cannot be kept."
_READ_ONLY = "This dashboard may not write to the folder of the platform, so notes cannot be kept."


def of(user: str) -> list[Note]:
    """The notes of `user`, latest first, if the visitor may read them; else none."""
    if not _home_is_here() or not visitor.access().allows(user):
        return []
    try:
        return _store().of(user)
    except StorageError as error:
        # `editor` says so on the page.
        _log.warning("the notes cannot be read: %s", error)
        return []


def imported_name(user: str) -> str | None:
    """The name under which `user` was imported, if this machine has it and the visitor may see."""
    if not _home_is_here() or not visitor.access().allows(user):
        return None
    try:
        name = ImportedNames(data.settings().home / "people").all().get(user)
    except StorageError as error:
        _log.warning("the names of users cannot be read: %s", error)
        return None
    return None if name is None else printable(name)


def editor(user: str, until: date) -> None:
    """Draw the list of notes, and the form to add, change and delete them.

    Parameters
    ----------
    user : str
    until : date
        The day that a new note begins on at first.
    """
    with st.expander("Notes: illness, holiday and more", icon=":material/edit_note:"):
        access = visitor.access()
        if access.is_denied or not access.allows(user):
            st.write(f"Notes are shown to their own user only. {verbatim(access.reason)}")
            return
        if (reason := _reason_of_none(user)) is not None:
            st.write(reason)
            return
        try:
            _form(_store(), user, until)
        except StorageError as error:
            st.error(verbatim(without_paths(str(error))))


def _form(store: NoteStore, user: str, until: date) -> None:
    notes = {note.id: note for note in store.of(user)}
    key = f"note-{user}"
    count = st.session_state.get(f"{key}-count", 0)
    if message := st.session_state.pop(f"{key}-message", None):
        st.success(message)
    st.caption("A note is shown on your charts. It stays on this machine and is in no release.")
    if notes:
        page.table(
            [{"note": text_of(note), "dates": dates_of(note)} for note in notes.values()],
            {"dates": "Dates", "note": "Note"},
            "Your notes with their dates",
        )
    chosen = st.selectbox(
        "Note to change",
        [_NEW, *notes],
        format_func=lambda each: _title(notes.get(each)),
        key=f"{key}-{count}",
    )
    # Another note has widgets of its own, so that they start with its values.
    note, action = _fields(f"{key}-{count}-{chosen}", user, notes.get(chosen), until)
    try:
        if action == "save":
            store.put(checked(note))
            _finish(key, "The note was saved.")
        elif action == "delete":
            store.remove(user, note.id)
            _finish(key, "The note was deleted.")
    except (ValueError, StorageError) as error:
        st.error(verbatim(error))


def _fields(own: str, user: str, note: Note | None, until: date) -> tuple[Note, str | None]:
    """The form of a note: the note as it was entered, and the button that was pressed."""
    with st.form(f"{own}-form", border=False):
        kind = st.selectbox(
            "Kind",
            KINDS,
            index=KINDS.index(note.kind) if note else 0,
            format_func=label,
            key=f"{own}-kind",
        )
        left, right = st.columns(2)
        with left:
            first = _day("First day", note.first if note else until, f"{own}-first")
        with right:
            last = _day("Last day", note.last if note else until, f"{own}-last")
        text = st.text_input(
            "Text (optional)",
            note.text if note else "",
            max_chars=MAX_LENGTH,
            key=f"{own}-text",
        )
        with st.container(horizontal=True):
            save = st.form_submit_button("Save the note" if note else "Add the note")
            delete = note is not None and st.form_submit_button("Delete the note")
    entered = Note(
        id=note.id if note else secrets.token_hex(8),
        user=user,
        kind=kind,
        first=first,
        last=last,
        text=text,
    )
    return entered, "save" if save else "delete" if delete else None


def _day(title: str, value: date, key: str) -> date:
    return st.date_input(title, value, _EARLIEST, _LATEST, format="YYYY-MM-DD", key=key)


def _finish(key: str, message: str) -> None:
    """Draw the page again with the changed notes, an empty form and a message."""
    st.session_state[f"{key}-message"] = message
    # Widgets with other keys are new ones.
    st.session_state[f"{key}-count"] = st.session_state.get(f"{key}-count", 0) + 1
    st.rerun()


def _title(note: Note | None) -> str:
    return "A new note" if note is None else f"{dates_of(note)}, {text_of(note)}"


def _reason_of_none(user: str) -> str | None:
    """Why this dashboard keeps no notes of `user`; None if it does."""
    if not _home_is_here():
        return _REMOTE
    if is_release_id(user):
        return _OTHER_IDS
    return None if _store().is_writable else _READ_ONLY


def _home_is_here() -> bool:
    """Whether the dashboard reads the releases of its own home."""
    known = data.settings()
    return known.release_source == str(known.storage / "releases") and known.home.is_dir()


def _store() -> NoteStore:
    return NoteStore(data.settings().home / "people")
