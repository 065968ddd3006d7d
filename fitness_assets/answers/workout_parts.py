"""The workouts and the training load of a report."""

from collections.abc import Callable

import pandas as pd

from fitness_assets.answers.limits import clip
from fitness_assets.answers.pages.document import Paragraph, Part, Table
from fitness_assets.answers.records import Sources
from fitness_assets.answers.workouts import Workouts
from fitness_assets.formatting import NO_DATA, minutes, number, plural
from fitness_assets.record.units import Units

_VALUES = ("distance_km", "calories_burned", "heart_rate_avg")


def workout_parts(
    found: Workouts, units: Units, letter: Callable[[Sources], str], *, by_day: bool
) -> list[Part]:
    """The workouts of a period, and the training load at its end.

    Parameters
    ----------
    found : Workouts
    units : Units
    letter : callable
        Gives the letter of a source.
    by_day : bool
        Whether workouts are listed one by one, and not by month.

    Returns
    -------
    list
        Empty if there are none in the period and in the months before it.
    """
    done, load = found.training.workouts, found.training.load
    if done.empty and load.empty:
        return []
    of_workouts = letter(found.sources)
    whole = minutes(done["minutes"].sum())
    text = f"{plural(len(done), 'workout')}, {whole} in all [{of_workouts}]."
    if load.empty:
        text += " No workout has a heart rate, so that no training load is known."
    else:
        last = load.iloc[-1]
        text += (
            f" Training load {number(load['load'].sum())}; mean of a day up to "
            f"{last['date']:%Y-%m-%d}: {number(last['load_7d'])} over 7 days, "
            f"{number(last['load_42d'])} over 42 days; later days weigh more. The load is minutes "
            "weighted by the fraction of the heart rate reserve (TRIMP, Banister 1991); a workout "
            f"without a heart rate has none [{of_workouts}, {letter(found.read)}]."
        )
    if done.empty:
        return [Paragraph(text)]
    table = _by_day(done, units, of_workouts) if by_day else _by_month(done, of_workouts)
    return [Paragraph(text), table]


def _by_day(done: pd.DataFrame, units: Units, letter: str) -> Table:
    rows = [
        [
            f"{row['date']} {row['start']}",
            NO_DATA if row["activity"] is None else clip(row["activity"]).replace("_", " "),
            minutes(row["minutes"]),
            *(units.number(name, row[name]) for name in _VALUES),
            number(row["load"]),
            letter,
        ]
        for row in done.to_dict("records")
    ]
    values = [units.title(name) for name in _VALUES]
    return Table(["Workout", "Activity", "Duration", *values, "Load", "From"], rows, left=2)


def _by_month(done: pd.DataFrame, letter: str) -> Table:
    starts = pd.to_datetime(done["date"]).dt.to_period("M")
    sums = done.groupby(starts)[["minutes", "load"]].sum(min_count=1)
    counts = starts.value_counts().sort_index()
    rows = [
        ["Workouts", *(number(each) for each in counts), letter],
        ["Minutes", *(number(each) for each in sums["minutes"]), letter],
        ["Load", *(number(each) for each in sums["load"]), letter],
    ]
    return Table(["Month", *(each.strftime("%b") for each in sums.index), "From"], rows)
