"""What all charts share: colours, axes, tooltips, and settings applied on top of Streamlit's theme.

Backgrounds and most colours come from Streamlit's theme, light or dark; ``.streamlit/config.toml``
has its colours. Those named here have a contrast of 3 to 1 or more on both backgrounds (WCAG 2.2,
1.4.11), and text one of 4.5 to 1 (1.4.3). Titles are short enough for a phone.
"""

from typing import Any, Literal, cast

import altair as alt
import pandas as pd

from fitness_assets.formatting import signed

#: Neutral marks: reference lines, missing values.
INK = "#6f7484"
GOOD, FAIR, BAD = "#17804f", "#c27a12", "#d6393f"
BLUE = "#2878b5"
#: Colours of categories, after Okabe and Ito (Color Universal Design, 2008): distinct with colour
#: vision deficiencies, on light and on dark backgrounds.
CATEGORIES = [BLUE, "#b8860b", "#009e73", "#cc79a7", "#d55e00", "#8a8f9d", "#9a6b3f", "#3b9bd3"]
#: A named Vega scheme of one hue from faint to strong.
DENSITY: Literal["tealblues"] = "tealblues"
#: From low to high around zero.
DIVERGING = ["#c2452d", "#d9dce2", "#2b6fae"]
#: Colours of text in cells: on strong colours, and on faint ones.
ON_STRONG, ON_FAINT = "#ffffff", "#10151c"
#: Colours of text next to marks, on light and on dark backgrounds.
TEXT_ON_LIGHT, TEXT_ON_DARK = "#4a4f5c", "#c3c8d2"
#: The one of them that suits the background, which the browser knows.
TEXT = alt.ExprRef(f"luminance(background) > 0.4 ? '{TEXT_ON_LIGHT}' : '{TEXT_ON_DARK}'")
#: The colour of a mark on a bar in the colour of Streamlit's theme: the background.
TICK = alt.ExprRef("background")

#: Default height of a chart in pixels. A height includes title, axes and legend.
HEIGHT = 260
# Pixels around the rows of a chart.
_TITLE_AND_LABELS, _AXIS_TITLE, _LEGEND, _LEGEND_ROW = 92, 30, 40, 19
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
#: Vega expression that puts each part of a label such as "Many steps, long sleep" on its own line.
LABEL_LINES = "split(datum.label, ', ')"


def themed(chart: Any) -> Any:
    """`chart` with corrections to Streamlit's theme.

    - Numbers without a format are written as "6,000". Streamlit's theme writes "6e+3". The format
      is a rounding one (d3's "r"), which takes as many digits as the ticks of an axis need.
    - Streamlit's theme moves the first and the last label of a band axis off their bars and omits
      labels that are close.
    - Some of its colours are faint on one of the backgrounds.
    - A screen reader reads the description of a chart, and not each of its marks.
    """
    text = {"labelColor": TEXT, "titleColor": TEXT, "aria": False}
    return chart.configure(
        mark={"aria": False},
        numberFormat=",~r",
        axis=text,
        axisBand={"labelFlush": False, "labelOverlap": False},
        # On a phone there is no room next to a chart.
        legend=text | {"orient": "bottom"},
        range={"category": CATEGORIES},
    )


def layered(*charts: Any) -> alt.LayerChart:
    """`charts` drawn on top of each other, the last one in front."""
    return cast("alt.LayerChart", alt.layer(*charts))


def band(base: Any, rows: int, low: Any, high: str, **options: Any) -> alt.Chart:
    """A band from `low`, which is the channel y, to the field `high`; a bar if there is one row.

    An area through one point has no width and is not visible.
    """
    marked = base.mark_area(opacity=0.25, **options)
    if rows == 1:
        marked = base.mark_rule(opacity=0.25, size=12, **options)
    return cast("alt.Chart", marked.encode(y=low, y2=high))


def shared_domain(*values: pd.Series) -> list[float]:
    """The limits of an axis for all `values`, so that charts next to each other compare."""
    known = pd.concat([each.dropna().astype(float) for each in values])
    low, high = float(known.min()), float(known.max())
    space = 0.08 * (high - low) or 0.5
    return [low - space, high + space]


def rows_height(rows: int, row: int, *, axis_title: bool = False, legend_rows: int = 0) -> int:
    """The height of a chart of horizontal rows of `row` pixels, with all that is around them."""
    legend = _LEGEND + _LEGEND_ROW * legend_rows if legend_rows else 0
    return _TITLE_AND_LABELS + _AXIS_TITLE * axis_title + legend + row * rows


def count_axis(**options: Any) -> alt.Axis:
    """An axis of counts, without fractions between them."""
    return alt.Axis(tickMinStep=1, **options)


def date_axis() -> alt.Axis:
    """An axis of the days of one month."""
    return alt.Axis(format="%-d %b", tickCount=6)


def bottom_legend(**options: Any) -> alt.Legend:
    """A legend below the chart, where it takes no width on a phone."""
    return alt.Legend(orient="bottom", **options)


def date_tip() -> alt.Tooltip:
    """The tooltip entry of the field ``date``."""
    return alt.Tooltip("date:T", title="Date", format="%-d %b %Y")


def tip(field: str, title: str, text_format: str | None = None) -> alt.Tooltip:
    """A tooltip entry of a field, with its title and its d3 format, if any."""
    if text_format is None:
        return alt.Tooltip(field, title=title)
    return alt.Tooltip(field, title=title, format=text_format)


def text_color(is_strong: str) -> Any:
    """The colour of the text in a cell; `is_strong` is a Vega test of the cell's own colour."""
    return alt.condition(is_strong, alt.value(ON_STRONG), alt.value(ON_FAINT))


def signed_heatmap(
    cells: pd.DataFrame,
    x: tuple[str, list[str]],
    y: tuple[str, list[str]],
    value: tuple[str, str],
) -> alt.LayerChart:
    """A heat map of values around zero, with the value written in each cell.

    Parameters
    ----------
    cells : DataFrame
        One row a cell.
    x, y : tuple of (str, list of str)
        A column and its values in order.
    value : tuple of (str, str)
        The column of the values and its title.
    """
    (x_name, columns), (y_name, rows), (name, title) = x, y, value
    largest = max(1.0, float(cells[name].abs().max()) if len(cells) else 1.0)
    labels = alt.Axis(labelAngle=-40, labelLimit=140, labelExpr=LABEL_LINES)
    # In the browser a value that is rounded to 0 would keep its sign.
    written = cells.assign(written=[signed(value, 1) for value in cells[name]])
    base = alt.Chart(written).encode(
        x=alt.X(f"{x_name}:N", sort=columns, title=None, axis=labels),
        y=alt.Y(f"{y_name}:N", sort=rows, title=None, axis=alt.Axis(labelLimit=150)),
        tooltip=[
            tip(x_name, x_name.capitalize()),
            tip(y_name, y_name.capitalize()),
            tip(f"{name}:Q", title, "+.2f"),
        ],
    )
    scale = alt.Scale(domain=[-largest, 0, largest], range=DIVERGING, interpolate="rgb")
    return layered(
        base.mark_rect(cornerRadius=2).encode(
            color=alt.Color(f"{name}:Q", scale=scale, legend=None)
        ),
        base.mark_text(fontSize=11).encode(
            text="written:N",
            color=text_color(f"abs(datum.{name}) > {0.55 * largest}"),
        ),
    ).properties(height=120 + 34 * len(rows))
