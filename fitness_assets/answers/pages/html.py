"""A page as one file of HTML, without scripts, and without anything that a browser would fetch."""

from collections.abc import Iterator, Sequence
from html import escape

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
from fitness_assets.answers.pages.plots import inline_svg
from fitness_assets.text import printable

_STYLE = """
@page { size: A4; margin: 14mm }
body { font: 10pt/1.35 "DejaVu Sans", Verdana, sans-serif; color: #222; background: #fff;
  max-width: 182mm; margin: 0 auto; padding: 1em }
h1 { font-size: 16pt; margin: 0 } h2 { font-size: 11.5pt; margin: 1em 0 .3em; break-after: avoid }
p, ul { margin: .3em 0 } ul { padding-left: 1.3em } .scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 8.5pt; break-inside: avoid }
th, td { text-align: right; padding: .15em .4em; border-bottom: .5pt solid #ccc }
th { border-bottom: 1pt solid #666 } .left { text-align: left }
.charts { display: flex; flex-wrap: wrap; gap: 2% } figure { flex: 1 1 49%; min-width: 260px;
  max-width: 100%; margin: .4em 0; box-sizing: border-box; break-inside: avoid }
@media (min-width: 600px), print { figure { max-width: 49% } }
svg { width: 100%; height: auto }
code { font-size: 8.5pt; overflow-wrap: anywhere }
""".strip()
_LEFT = ' class="left"'
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(document: Document) -> bytes:
    """`document` as HTML."""
    title = _text(document.title)
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>\n{_STYLE}\n</style>",
        "</head>",
        "<body>",
        f"<h1>{title}</h1>",
        f"<p>{_text(document.subtitle)}</p>",
        *(line for part in document.parts for line in _part(part)),
        "</body>",
        "</html>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _part(part: Part) -> Iterator[str]:
    match part:
        case Heading(text):
            yield f"<h2>{_text(text)}</h2>"
        case Paragraph(text):
            yield f"<p>{_text(text)}</p>"
        case Points(items):
            yield "<ul>"
            yield from (f"<li>{_text(item)}</li>" for item in items)
            yield "</ul>"
        case Command(text):
            yield f"<p><code>{_text(text)}</code></p>"
        case Table(columns, rows, left):
            yield '<div class="scroll"><table>'
            yield f"<thead>{_row(columns, 'th', left)}</thead>"
            yield "<tbody>"
            yield from (_row(row, "td", left) for row in rows)
            yield "</tbody></table></div>"
        case Charts(charts):
            yield '<div class="charts">'
            for chart in charts:
                svg = inline_svg(chart).replace(
                    "<svg", f'<svg role="img" aria-label="{_text(chart.text)}"', 1
                )
                yield f"<figure>{svg}</figure>"
            yield "</div>"


def _row(cells: Sequence[str], tag: str, left: int) -> str:
    marked = (
        f"<{tag}{_LEFT if place < left else ''}>{_text(cell)}</{tag}>"
        for place, cell in enumerate(cells)
    )
    return f"<tr>{''.join(marked)}</tr>"


def _text(text: str) -> str:
    return escape(printable(text))
