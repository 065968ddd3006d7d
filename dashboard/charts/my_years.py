"""Charts of the view My years."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.notes import with_notes, within
from dashboard.charts.theme import (
    BLUE,
    FAIR,
    INK,
    TEXT,
    band,
    bottom_legend,
    layered,
    rows_height,
    tip,
)
from fitness_assets.formatting import date_text
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import Units
from fitness_assets.storage.notes import Note

_HEIGHT = 320
# Pixels from the top at which marks have their texts: devices below, changes above.
_DEVICE_TEXT, _CHANGE_TEXT = _HEIGHT - 105, 16
_STEP = {"week": "7D", "month": "MS"}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_OTHERS, _MEAN = "other years", "mean"


@dataclass(frozen=True)
class Mark:
    """A day that is marked on a chart: a new device, or a lasting change of the measure."""

    day: date
    text: str
    is_device: bool


def long_line(
    rows: pd.DataFrame,
    name: str,
    units: Units,
    marks: Sequence[Mark] = (),
    notes: Sequence[Note] = (),
) -> alt.LayerChart:
    """The median of each week or month as a line, in the band of its 10th to 90th percentile.

    Parameters
    ----------
    rows : DataFrame
        Rows of `summaries` of one measure and one kind of period, by ``start``, with
        ``is_partial``, whether the period has not ended.
    name : str
    units : Units
    marks : sequence of Mark
    notes : sequence of Note
    """
    period = rows["period"].iloc[0]
    shown = rows[["start", "median", "p10", "p90", "days", "worn", "length", "is_partial"]].copy()
    shown[["median", "p10", "p90"]] *= units.factor(name)
    # Periods without data break the line.
    dates = pd.date_range(shown["start"].min(), shown["start"].max(), freq=_STEP[period])
    shown = shown.set_index("start").reindex(dates).rename_axis("date").reset_index()
    shown["is_partial"] = shown["is_partial"].eq(other=True)
    title = units.title(name)
    text_format = f",.{NUMBERS[name].decimals}f"
    scale = alt.Scale(zero=False)
    axis = alt.Axis(format="%b %Y", labelOverlap=True, tickCount=6)
    base = alt.Chart(shown).encode(
        x=alt.X("date:T", title=None, axis=axis),
        tooltip=[
            alt.Tooltip("date:T", title=period.capitalize(), format="%-d %b %Y"),
            tip("median:Q", f"Median {title}", text_format),
            tip("p10:Q", "10th percentile", text_format),
            tip("p90:Q", "90th percentile", text_format),
            tip("days:Q", "Days with a value"),
            tip("worn:Q", "Days worn"),
            tip("length:Q", "Days of the period"),
        ],
    )
    layers = [
        band(base, len(shown), alt.Y("p10:Q", title=title, scale=scale), "p90:Q", color=BLUE),
        base.mark_line(size=2, color=BLUE).encode(y=alt.Y("median:Q", scale=scale)),
        base.transform_filter("!datum.is_partial")
        .mark_circle(size=18, color=BLUE, opacity=1)
        .encode(y=alt.Y("median:Q", scale=scale)),
        base.transform_filter("datum.is_partial")
        .mark_point(size=60, color=BLUE, strokeWidth=2)
        .encode(y=alt.Y("median:Q", scale=scale)),
    ]
    first, last = shown["date"].min().date(), shown["date"].max().date()
    for is_device in (True, False):
        own = [mark for mark in marks if mark.is_device == is_device and first <= mark.day <= last]
        if own:
            layers += _rules(own, first + (last - first) / 2, is_device=is_device)
    chart = layered(*layers).properties(height=_HEIGHT, title=f"{NUMBERS[name].label} by {period}")
    return with_notes(chart, within(notes, shown))


def _rules(marks: Sequence[Mark], middle: date, *, is_device: bool) -> list[alt.Chart]:
    """Vertical rules with texts: to the right of a rule before `middle`, else to the left."""
    color = INK if is_device else FAIR
    rows = pd.DataFrame(
        [
            {
                "day": pd.Timestamp(each.day),
                "text": each.text,
                "on": date_text(each.day),
                "is_late": each.day > middle,
            }
            for each in marks
        ]
    )
    what = "New device" if is_device else "Lasting change"
    base = alt.Chart(rows).encode(x="day:T", tooltip=[tip("text:N", what), tip("on:N", "From")])
    dash = [4, 4] if is_device else [1, 0]
    place = alt.value(_DEVICE_TEXT if is_device else _CHANGE_TEXT)
    texts = base.encode(y=place, text="text:N")
    font: dict[str, Any] = {"color": TEXT, "fontSize": 11, "fontWeight": "bold"}
    return [
        base.mark_rule(color=color, size=2, strokeDash=dash),
        texts.transform_filter("!datum.is_late").mark_text(align="left", dx=4, **font),
        texts.transform_filter("datum.is_late").mark_text(align="right", dx=-4, **font),
    ]


def seasons(rows: pd.DataFrame, name: str, units: Units, year: int) -> alt.LayerChart:
    """The median of each calendar month: a line a year, and the mean of the years.

    Parameters
    ----------
    rows : DataFrame
        Rows of `summaries` of one measure by month.
    name : str
    units : Units
    year : int
        The year that is drawn in the strong colour.
    """
    this = str(year)
    shown = pd.DataFrame(
        {
            "year": rows["start"].dt.year.astype(str),
            "month": [_MONTHS[number - 1] for number in rows["start"].dt.month],
            "value": rows["median"] * units.factor(name),
        }
    )
    shown["line"] = shown["year"].eq(this).map({True: this, False: _OTHERS})
    mean = shown.groupby("month", as_index=False)["value"].mean()
    # The mean of one year is that year.
    if len(set(shown["year"])) > 1:
        shown = pd.concat([shown, mean.assign(year="mean", line=_MEAN)], ignore_index=True)
    title = units.title(name)
    colors = {this: BLUE, _OTHERS: INK, _MEAN: FAIR}
    # The legend names only the lines that are drawn.
    drawn = [line for line in colors if (shown["line"] == line).any()]
    scale = alt.Scale(domain=drawn, range=[colors[line] for line in drawn])
    base = alt.Chart(shown).encode(
        x=alt.X(
            "month:O", sort=_MONTHS, title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)
        ),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        color=alt.Color("line:N", title=None, scale=scale, legend=bottom_legend()),
        detail="year:N",
        tooltip=[
            tip("year:N", "Year"),
            tip("month:N", "Month"),
            tip("value:Q", title, f",.{NUMBERS[name].decimals}f"),
        ],
    )
    return layered(
        base.transform_filter(f"datum.line == '{_OTHERS}'").mark_line(size=1.2, opacity=0.7),
        base.transform_filter(f"datum.line == '{_MEAN}'").mark_line(size=2, strokeDash=[5, 3]),
        base.transform_filter(f"datum.line == '{this}'").mark_line(size=3, point=True),
    ).properties(height=_HEIGHT, title=f"{NUMBERS[name].label} over the year")


def same_month(rows: pd.DataFrame, name: str, units: Units, year: int) -> alt.LayerChart:
    """One calendar month in each year: the median as a point on its 10th to 90th percentile.

    Parameters
    ----------
    rows : DataFrame
        Rows of `summaries` of one measure, of one calendar month.
    name : str
    units : Units
    year : int
        The year that is drawn in the strong colour.
    """
    shown = rows[["median", "p10", "p90", "days"]] * [*[units.factor(name)] * 3, 1]
    shown["year"] = rows["start"].dt.year.astype(str)
    shown["is_this"] = rows["start"].dt.year == year
    title, text_format = units.title(name), f",.{NUMBERS[name].decimals}f"
    scale = alt.Scale(zero=False)
    color = alt.condition("datum.is_this", alt.value(BLUE), alt.value(INK))
    base = alt.Chart(shown).encode(
        y=alt.Y("year:O", title=None, sort="descending"),
        color=color,
        tooltip=[
            tip("year:N", "Year"),
            tip("median:Q", f"Median {title}", text_format),
            tip("p10:Q", "10th percentile", text_format),
            tip("p90:Q", "90th percentile", text_format),
            tip("days:Q", "Days with a value"),
        ],
    )
    return layered(
        base.mark_rule(size=5, opacity=0.35).encode(
            x=alt.X("p10:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5)), x2="p90:Q"
        ),
        base.mark_circle(size=90, opacity=1).encode(x=alt.X("median:Q", scale=scale)),
        base.mark_text(dy=-11, fontSize=11).encode(
            color=alt.value(TEXT),
            x=alt.X("median:Q", scale=scale),
            text=alt.Text("median:Q", format=text_format),
        ),
    ).properties(
        height=rows_height(len(shown), 38, axis_title=True),
        title=f"{NUMBERS[name].label}: {rows['start'].iloc[0]:%B} of each year",
    )
