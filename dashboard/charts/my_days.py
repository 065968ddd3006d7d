"""Charts of the view My days."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from dashboard.charts.notes import with_notes, within
from dashboard.charts.theme import (
    BAD,
    BLUE,
    DENSITY,
    FAIR,
    GOOD,
    HEIGHT,
    INK,
    TEXT,
    WEEKDAYS,
    band,
    bottom_legend,
    date_axis,
    date_tip,
    layered,
    text_color,
    tip,
)
from fitness_assets.formatting import time_of_day
from fitness_assets.history.training_load import WINDOWS
from fitness_assets.record.raw import NUMBERS, SLEEP_SPAN
from fitness_assets.record.units import Units
from fitness_assets.storage.notes import Note

#: Where a recorded day lies, and its colour.
PLACES = {"inside the range": INK, "outside the range": BAD}


def calendar_heatmap(days: pd.DataFrame, name: str, units: Units) -> alt.LayerChart:
    """One user's month as a calendar, coloured by a measurement.

    Parameters
    ----------
    days : DataFrame
        ``date`` and the measurement `name`.
    """
    shown = units.convert(days)[["date", name]].copy()
    dates = pd.to_datetime(shown["date"])
    first = dates.min().to_period("M").start_time
    shown["weekday"] = [WEEKDAYS[day] for day in dates.dt.weekday]
    shown["week"] = (dates.dt.day + first.weekday() - 1) // 7
    shown["day"] = dates.dt.day
    title = units.title(name)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "weekday:O",
            sort=WEEKDAYS,
            title=None,
            axis=alt.Axis(labelAngle=0, orient="top", ticks=False, domain=False),
        ),
        y=alt.Y("week:O", title=None, axis=None),
        tooltip=[date_tip(), tip(f"{name}:Q", title, ",.1f")],
    )
    middle = (shown[name].min() + shown[name].max()) / 2
    known = base.transform_filter(f"isValid(datum.{name})")
    missing = base.transform_filter(f"!isValid(datum.{name})")
    color = alt.Color(
        f"{name}:Q",
        title=title,
        scale=alt.Scale(scheme=DENSITY, zero=False),
        legend=bottom_legend(gradientLength=160),
    )
    return layered(
        known.mark_rect(cornerRadius=4).encode(color=color),
        known.mark_text(fontSize=11).encode(
            text="day:Q", color=text_color(f"datum.{name} > {middle}")
        ),
        missing.mark_rect(cornerRadius=4, color=INK, opacity=0.2),
        missing.mark_text(fontSize=11, color=TEXT).encode(text="day:Q"),
    ).properties(height=330, title=f"{NUMBERS[name].label}, day by day")


def goal_progress(
    days: pd.DataFrame, name: str, units: Units, goal: float, notes: Sequence[Note] = ()
) -> alt.LayerChart:
    """One user's days as bars, with their 28-day mean and their goal as lines.

    Parameters
    ----------
    days : DataFrame
        ``date``, the measurement `name`, and ``usual``, its mean of the 28 days before.
    goal : float
        In the stored unit of `name`.
    notes : sequence of Note
    """
    factor = units.factor(name)
    shown = days[["date", name, "usual"]].assign(goal=goal)
    shown[[name, "usual", "goal"]] *= factor
    base = alt.Chart(shown).encode(x=alt.X("date:T", title=None, axis=date_axis()))
    title = units.title(name)
    chart = layered(
        base.mark_bar(size=7, cornerRadiusEnd=2).encode(
            y=alt.Y(f"{name}:Q", title=title),
            tooltip=[
                date_tip(),
                tip(f"{name}:Q", title, ",.0f"),
                tip("usual:Q", "28-day mean", ",.0f"),
            ],
        ),
        base.mark_line(color=FAIR, size=2.5).encode(y="usual:Q"),
        base.mark_line(color=GOOD, strokeDash=[5, 3], size=2.5).encode(y="goal:Q"),
    ).properties(height=HEIGHT, title=f"{NUMBERS[name].label} and goal")
    return with_notes(chart, within(notes, days))


def expected_energy(days: pd.DataFrame, notes: Sequence[Note] = ()) -> alt.LayerChart:
    """Recorded energy of days, and the model's estimate with its prediction interval.

    Parameters
    ----------
    days : DataFrame
        ``date``; ``kcal`` recorded; ``expected``, ``low`` and ``high`` in kcal; and ``place``,
        a key of `PLACES`.
    notes : sequence of Note
    """
    base = alt.Chart(days).encode(x=alt.X("date:T", title=None, axis=date_axis()))
    scale = alt.Scale(zero=False)
    chart = layered(
        band(base, len(days), alt.Y("low:Q", title="Energy (kcal)", scale=scale), "high:Q"),
        base.mark_line(size=2).encode(y=alt.Y("expected:Q", scale=scale)),
        base.mark_circle(size=55, opacity=1).encode(
            y=alt.Y("kcal:Q", scale=scale),
            color=alt.Color(
                "place:N",
                title=None,
                scale=alt.Scale(domain=list(PLACES), range=list(PLACES.values())),
                legend=bottom_legend(),
            ),
            tooltip=[
                date_tip(),
                tip("kcal:Q", "Recorded (kcal)", ",.0f"),
                tip("expected:Q", "Expected (kcal)", ",.0f"),
                tip("low:Q", "Interval from", ",.0f"),
                tip("high:Q", "Interval to", ",.0f"),
            ],
        ),
    ).properties(height=HEIGHT, title="Energy, recorded and expected")
    return with_notes(chart, within(notes, days))


def sleep_times(days: pd.DataFrame, notes: Sequence[Note] = ()) -> alt.LayerChart:
    """When a user slept, a bar a night, on a clock that runs down.

    Parameters
    ----------
    days : DataFrame
        ``date``, and ``sleep_start`` and ``sleep_end`` in minutes after its beginning.
    notes : sequence of Note
    """
    nights = days[["date", *SLEEP_SPAN]].dropna()
    shown = nights.assign(
        start=nights["sleep_start"] / 60,
        end=nights["sleep_end"] / 60,
        hours=(nights["sleep_end"] - nights["sleep_start"]) / 60,
        asleep=nights["sleep_start"].map(time_of_day),
        awake=nights["sleep_end"].map(time_of_day),
    )
    clock = "format((datum.value + 48) % 24, '02d') + ':00'"
    base = alt.Chart(shown).encode(
        x=alt.X("date:T", title=None, axis=date_axis()),
        y=alt.Y(
            "start:Q",
            title="Local time",
            scale=alt.Scale(reverse=True, zero=False),
            axis=alt.Axis(labelExpr=clock, tickMinStep=1),
        ),
        y2="end:Q",
    )
    bars = base.mark_bar(size=7, cornerRadius=2, color=BLUE).encode(
        tooltip=[
            date_tip(),
            alt.Tooltip("asleep:N", title="Asleep"),
            alt.Tooltip("awake:N", title="Awake"),
            tip("hours:Q", "From falling asleep to waking (h)", ",.1f"),
        ]
    )
    chart = layered(bars).properties(height=HEIGHT, title="Asleep, night by night")
    return with_notes(chart, within(notes, days))


def training_load(load: pd.DataFrame, notes: Sequence[Note] = ()) -> alt.LayerChart:
    """The load of days as bars, and its means over a week and over six weeks as lines.

    Parameters
    ----------
    load : DataFrame
        ``date``, ``load`` and `training_load.WINDOWS`, which are NaN where they are not known.
    notes : sequence of Note
    """
    base = alt.Chart(load).encode(x=alt.X("date:T", title=None, axis=date_axis()))
    title = "Training load"
    names = {name: f"mean of {days} days" for name, days in WINDOWS.items()}
    lines = load.melt("date", list(WINDOWS), "window", "mean").dropna(subset="mean")
    chart = layered(
        base.mark_bar(size=7, cornerRadiusEnd=2, color=INK, opacity=0.5).encode(
            y=alt.Y("load:Q", title=title), tooltip=[date_tip(), tip("load:Q", title, ",.0f")]
        ),
        alt.Chart(lines.assign(window=lines["window"].map(names)))
        .mark_line(size=2.5)
        .encode(
            x="date:T",
            y="mean:Q",
            color=alt.Color(
                "window:N",
                title=None,
                scale=alt.Scale(domain=list(names.values()), range=[FAIR, BLUE]),
                legend=bottom_legend(),
            ),
            tooltip=[date_tip(), tip("window:N", "Line"), tip("mean:Q", title, ",.0f")],
        ),
    ).properties(height=HEIGHT, title=f"{title} of workouts")
    return with_notes(chart, within(notes, load))
