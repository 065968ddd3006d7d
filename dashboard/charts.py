"""Pure functions from a frame to a figure."""

import altair as alt
import pandas as pd

#: Column of the daily table and the title of its axis.
SERIES = {
    "steps": "Mean steps",
    "calories_burned": "Mean kcal",
    "heart_rate_avg": "Mean heart rate (bpm)",
    "sleep_hours": "Mean sleep (h)",
}


def records_by_month(summaries: pd.DataFrame) -> alt.Chart:
    """Bars of user-days, one a month."""
    chart: alt.Chart = (
        alt.Chart(summaries)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("records:Q", title="User-days"),
            tooltip=[
                "month",
                alt.Tooltip("records:Q", format=","),
                alt.Tooltip("users:Q", format=","),
            ],
        )
        .properties(height=220, title="User-days released, by month")
    )
    return chart


def daily_series(days: pd.DataFrame, column: str) -> alt.Chart:
    """A line of `column`, one of `SERIES`, over the days of the month."""
    chart: alt.Chart = (
        alt.Chart(days)
        .mark_line(point=True)
        .encode(
            x=alt.X("date:T", title=None),
            y=alt.Y(f"{column}:Q", title=SERIES[column], scale=alt.Scale(zero=False)),
            tooltip=["date:T", alt.Tooltip(f"{column}:Q", format=",.1f")],
        )
        .properties(height=220, title=f"{SERIES[column]}, by day")
    )
    return chart


def shares(parts: dict[str, float], title: str) -> alt.Chart:
    """Horizontal bars of shares of one, largest first."""
    frame = pd.DataFrame(
        {"name": [readable(name) for name in parts], "share": list(parts.values())}
    )
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=3)
        .encode(
            y=alt.Y("name:N", sort="-x", title=None, axis=alt.Axis(labelOverlap=False)),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format="%")),
            tooltip=["name", alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(height=60 + 26 * len(frame), title=title)
    )
    return chart


def readable(name: str) -> str:
    """A snake-case name as people write it."""
    return name.replace("_", " ").capitalize()
