"""A page as one file of Markdown. Images are data URIs at its end, so that the text is readable."""

import base64
from collections.abc import Iterator

from fitness_assets.answers.pages.document import (
    Charts,
    Command,
    Document,
    Heading,
    Paragraph,
    Part,
    Points,
    Table,
)
from fitness_assets.answers.pages.plots import draw
from fitness_assets.text import printable

# Characters that Markdown or HTML within it would act upon.
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#~$&!"})


def render(document: Document) -> bytes:
    """`document` as Markdown."""
    blocks = [f"# {_text(document.title)}", _text(document.subtitle)]
    blocks += ["\n".join(_part(part)) for part in document.parts]
    images = [
        f"[{chart.name}]: data:image/png;base64,{base64.b64encode(draw(chart, 'png')).decode()}"
        for part in document.parts
        if isinstance(part, Charts)
        for chart in part.charts
    ]
    blocks.append("\n".join(images))
    return ("\n\n".join(filter(None, blocks)) + "\n").encode()


def _part(part: Part) -> Iterator[str]:
    match part:
        case Heading(text):
            yield f"## {_text(text)}"
        case Paragraph(text):
            yield _text(text)
        case Points(items):
            yield from (f"- {_text(item)}" for item in items)
        case Command(text):
            # Indented: nothing in it is Markdown, and no fence can end it.
            yield f"    {printable(text)}"
        case Table(columns, rows, left):
            yield _row([*columns])
            yield _row(["---" if place < left else "---:" for place in range(len(columns))])
            yield from (_row([_text(cell) for cell in row]) for row in rows)
        case Charts(charts):
            yield "\n".join(f"![{_text(chart.text)}][{chart.name}]" for chart in charts)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    return printable(text).translate(_SPECIAL)
