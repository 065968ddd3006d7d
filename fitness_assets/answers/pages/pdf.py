"""A page as PDF, with fonts that hold Latin, Greek, Cyrillic and more. It has no creation time."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from pathlib import Path

from fitness_assets.answers.pages.document import (
    Chart,
    Charts,
    Command,
    Document,
    Heading,
    Paragraph,
    Part,
    Points,
    Table,
)
from fitness_assets.answers.pages.plots import RATIO, draw
from fitness_assets.text import printable

_FONT = "DejaVu"
# Millimetres and points.
_MARGIN, _GAP, _LINE = 13, 3, 3.9
_SIZE, _SMALL = 8, 7
_RULE, _GREY = 0.1, 150
# Sizes that are tried until the document fits on one page. Smaller print is hard to read.
_SCALES = (1.0, 0.94, 0.88, 0.82, 0.76)


def render(document: Document) -> bytes:
    """`document` as PDF: on one page if it fits in small print, else on several in large print."""
    images = {
        id(chart): draw(chart, "png")
        for part in document.parts
        if isinstance(part, Charts)
        for chart in part.charts
    }
    large = b""
    for scale in _SCALES:
        page = _Page(document, images, scale)
        content = page.content()
        if page.count == 1:
            return content
        large = large or content
    return large


class _Page:
    """A PDF while it is written.

    Parameters
    ----------
    document : Document
    images : mapping
        The image of each chart, by its identity.
    scale : float
        Factor of all sizes but the margins.
    """

    def __init__(self, document: Document, images: Mapping[int, bytes], scale: float) -> None:
        import matplotlib as mpl
        from fpdf import FPDF

        self._document = document
        self._images = images
        self._scale = scale
        self._pdf: FPDF = FPDF(format="A4")
        folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self._pdf.add_font(_FONT, "", folder / "DejaVuSans.ttf")
        self._pdf.add_font(_FONT, "B", folder / "DejaVuSans-Bold.ttf")
        font = self._pdf.fonts[_FONT.lower()]
        self._known = frozenset(getattr(font, "cmap", ()))
        # Without a date the file has the time at which it was written.
        self._pdf.set_creation_date(datetime.combine(document.dated, time(), UTC))
        self._pdf.set_margin(_MARGIN)
        self._pdf.set_auto_page_break(auto=True, margin=_MARGIN)
        self._pdf.set_title(self._text(document.title))
        self._pdf.set_lang("en")
        self._pdf.set_line_width(_RULE)
        self._pdf.set_draw_color(_GREY)

    def content(self) -> bytes:
        """The bytes of the file."""
        self._pdf.add_page()
        self._write(self._document.title, size=15, bold=True, line=7)
        self._write(self._document.subtitle)
        for part in self._document.parts:
            self._part(part)
        return bytes(self._pdf.output())

    @property
    def count(self) -> int:
        """The number of pages."""
        return int(self._pdf.pages_count)

    def _part(self, part: Part) -> None:
        match part:
            case Heading(text):
                # A heading stays with what follows.
                if self._pdf.will_page_break(5 * _LINE * self._scale):
                    self._pdf.add_page()
                self._pdf.ln(2 * self._scale)
                self._write(text, size=10.5, bold=True, line=6)
            case Paragraph(text):
                self._write(text)
            case Points(items):
                for item in items:
                    self._write(f"• {item}")
            case Command(text):
                self._write(text, size=_SMALL)
            case Table(columns, rows, left):
                self._table(columns, rows, left)
            case Charts(charts):
                self._charts(charts)

    def _write(
        self, text: str, *, size: float = _SIZE, bold: bool = False, line: float = _LINE
    ) -> None:
        self._pdf.set_font(_FONT, "B" if bold else "", size * self._scale)
        height = line * self._scale
        self._pdf.multi_cell(0, height, self._text(text), align="L", new_x="LMARGIN", new_y="NEXT")

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> None:
        from fpdf.enums import TableBordersLayout
        from fpdf.fonts import FontFace

        self._pdf.set_font(_FONT, "", _SMALL * self._scale)
        widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
        with self._pdf.table(
            col_widths=tuple(max(6, width) for width in widths),
            text_align=tuple("LEFT" if place < left else "RIGHT" for place in range(len(columns))),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD"),
            line_height=_LINE * self._scale,
        ) as table:
            for cells in (columns, *rows):
                row = table.row()
                for cell in cells:
                    row.cell(self._text(cell))
        self._pdf.ln(1)

    def _charts(self, charts: Sequence[Chart]) -> None:
        width = (self._pdf.epw - _GAP) / 2 * self._scale
        for first in range(0, len(charts), 2):
            pair = charts[first : first + 2]
            images = [io.BytesIO(self._images[id(chart)]) for chart in pair]
            height = width * RATIO
            if self._pdf.will_page_break(height):
                self._pdf.add_page()
            top = self._pdf.get_y()
            for place, (chart, image) in enumerate(zip(pair, images, strict=True)):
                self._pdf.image(
                    image,
                    x=_MARGIN + place * (width + _GAP),
                    y=top,
                    w=width,
                    alt_text=self._text(chart.text),
                )
            self._pdf.set_y(top + height + 1)

    def _text(self, text: str) -> str:
        """`text` with the code of each character that the font lacks."""
        return "".join(
            letter if ord(letter) in self._known else f"(U+{ord(letter):04X})"
            for letter in printable(text)
        )
