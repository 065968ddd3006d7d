"""Notes of a person on charts with an axis of dates."""

from collections.abc import Sequence
from datetime import timedelta

import altair as alt
import msgspec
import pandas as pd

from dashboard.charts.theme import INK, TEXT, layered, tip
from dashboard.text import label
from fitness_assets.storage.notes import Note

# Texts above the band of a note; the tooltip has all of it.
_SHOWN = 18


def with_notes(chart: alt.LayerChart, notes: Sequence[Note]) -> alt.LayerChart:
    """`chart`, whose x axis is of dates, with a grey band and a text for each note.

    Notes outside of the dates of `chart` must not be given: they would widen the axis.
    """
    if not notes:
        return chart
    rows = pd.DataFrame(
        [
            {
                "from": pd.Timestamp(note.first),
                "until": pd.Timestamp(note.last + timedelta(days=1)),
                "note": text_of(note),
                "short": _shortened(text_of(note)),
                "dates": dates_of(note),
            }
            for note in notes
        ]
    )
    base = alt.Chart(rows).encode(x="from:T", tooltip=[tip("note:N", "Note"), tip("dates:N", "On")])
    band = base.mark_rect(color=INK, opacity=0.28).encode(x2="until:T")
    text = base.mark_text(
        color=TEXT, align="left", baseline="top", dx=2, fontSize=11, clip=True
    ).encode(y=alt.value(2), text="short:N")
    # A chart in a layer has no height of its own.
    inner = chart.copy(deep=False)
    title, height = inner.title, inner.height
    inner.title = inner.height = alt.Undefined
    return layered(band, inner, text).properties(title=title, height=height)


def within(notes: Sequence[Note], days: pd.DataFrame) -> list[Note]:
    """The parts of `notes` between the first and the last ``date`` of `days`."""
    if days.empty:
        return []
    dates = pd.to_datetime(days["date"])
    first, last = dates.min().date(), dates.max().date()
    return [
        msgspec.structs.replace(note, first=max(note.first, first), last=min(note.last, last))
        for note in notes
        if note.first <= last and note.last >= first
    ]


def text_of(note: Note) -> str:
    """The text of a note, with its kind: "Illness: flu"."""
    kind = label(note.kind)
    return f"{kind}: {note.text}" if note.text else kind


def dates_of(note: Note) -> str:
    """The days of a note: "3 May 2023" or "3 May 2023 to 9 May 2023"."""
    first, last = (f"{day:%-d %b %Y}" for day in (note.first, note.last))
    return first if first == last else f"{first} to {last}"


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
