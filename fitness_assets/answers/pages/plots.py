"""Charts drawn with matplotlib. Equal charts give equal bytes."""

import io
import re
from typing import Any, Literal

import numpy as np

from fitness_assets.answers.pages.document import Chart
from fitness_assets.formatting import significant

# Inches. Two charts are side by side on a page of A4.
_WIDTH, _HEIGHT = 3.7, 1.55
#: Height of a chart for its width.
RATIO = _HEIGHT / _WIDTH
_DPI = 200
# Of Okabe and Ito's palette, which people with colour-blindness can distinguish.
_LINE, _BAND, _TEXT, _MARK = "#0072b2", "#56b4e9", "#333333", "#dddddd"
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "svg.fonttype": "path",
    # Ids of an SVG are random without it.
    "svg.hashsalt": "fitness",
    "text.parse_math": False,
}
_XML = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_ID = re.compile(r'(\bid="|url\(#|href="#)')


def draw(chart: Chart, form: Literal["png", "svg"]) -> bytes:
    """`chart` as an image."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        axes: Any = figure.subplots()
        dates: Any = np.array(chart.dates, "datetime64[D]")
        if chart.usual is not None:
            axes.axhspan(*chart.usual, color=_BAND, alpha=0.25, linewidth=0)
        for first, last in chart.spans:
            # From the start of the first day to the end of the last.
            half = np.timedelta64(12, "h")
            axes.axvspan(
                np.datetime64(first) - half, np.datetime64(last) + half, color=_MARK, linewidth=0
            )
        if chart.low:
            axes.fill_between(dates, chart.low, chart.high, color=_BAND, alpha=0.3, linewidth=0)
        if chart.width:
            axes.bar(dates, chart.values, width=chart.width, color=_LINE)
        else:
            axes.plot(dates, chart.values, color=_LINE, linewidth=1, marker="o", markersize=1.8)
        if chart.limits is not None:
            axes.set_xlim(*(np.datetime64(day) for day in chart.limits))
        axes.set_title(chart.title, loc="left", fontsize=8, color=_TEXT)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", linewidth=0.3, alpha=0.6)
        axes.set_axisbelow(True)
        locator = AutoDateLocator(minticks=3, maxticks=7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda value, _: significant(value, 6))
        axes.tick_params(colors=_TEXT, width=0.5, length=2)
        content = io.BytesIO()
        metadata: dict[str, str | None] = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(content, format=form, metadata=metadata)
    return content.getvalue()


def inline_svg(chart: Chart) -> str:
    """`chart` as an SVG element for a page of HTML, whose ids are unique in the page."""
    text = _XML.sub("", draw(chart, "svg").decode(), count=1)
    return _ID.sub(rf"\g<1>{chart.name}-", _METADATA.sub("", text)).strip()
