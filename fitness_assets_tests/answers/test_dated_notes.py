"""What a user noted on days is in the answers about these days."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import MAX_BYTES
from fitness_assets.answers.tools import ask
from fitness_assets.storage.notes import MAX_LENGTH, Note, NoteStore
from fitness_assets_tests.support.questions import HOSTILE, USER

FLU = Note(
    id="1",
    user=USER,
    kind="illness",
    first=date(2023, 2, 4),
    last=date(2023, 2, 6),
    text="flu",
)
#: Arguments of each tool about a period: one that touches the note, and one that does not.
ASKED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "day": ({"date": "2023-02-04"}, {"date": "2023-02-07"}),
    "series": (
        {"measure": "steps", "period": "2023-02-06..2023-02-10"},
        {"measure": "steps", "period": "2023-02-07..2023-02-10"},
    ),
    "compare": (
        {"first": "2022-02", "second": "2023-02", "measure": "steps"},
        {"first": "2022-02", "second": "2022-03", "measure": "steps"},
    ),
    "baseline": (
        {"date": "2023-02-07", "measure": "steps"},
        {"date": "2023-02-04", "measure": "steps"},
    ),
    "gaps": ({"period": "2023-02"}, {"period": "2022"}),
}


def notes_in(home: Home, name: str, given: dict[str, object]) -> list[str]:
    content = ask(home, name, given)
    assert len(content) <= MAX_BYTES
    found: dict[str, Any] = json.loads(content)
    notes: list[str] = found.get("dated_notes", [])
    return notes


@pytest.mark.parametrize("name", ASKED)
def test_answers_have_the_notes_of_their_period(asked: Home, tmp_path: Path, name: str) -> None:
    store = NoteStore(tmp_path)
    home = replace(asked, notes=store.of)
    touching, other = ASKED[name]
    assert notes_in(home, name, touching) == []
    store.put(FLU)
    store.put(structs.replace(FLU, user="another"))
    assert notes_in(home, name, touching) == ["2023-02-04..2023-02-06 illness: flu"]
    assert notes_in(home, name, other) == []


def test_many_long_notes_leave_an_answer_short(asked: Home) -> None:
    long = structs.replace(FLU, text=(HOSTILE * 10)[:MAX_LENGTH])
    notes = [long] * 300
    home = replace(asked, notes=lambda _: notes)
    for name, (touching, _) in ASKED.items():
        found = notes_in(home, name, touching)
        assert found[-1] == "and 296 more"
        assert "\x1b" not in "".join(found)


def test_notes_that_cannot_be_read_are_reported(asked: Home, tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("damaged")
    home = replace(asked, notes=NoteStore(tmp_path).of)
    (found,) = notes_in(home, "day", {"date": "2023-02-04"})
    assert "cannot be read" in found
    assert str(tmp_path) not in found
