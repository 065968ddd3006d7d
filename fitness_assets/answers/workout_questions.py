"""The answers about workouts and training load, as those of `questions`."""

import math

from fitness_assets.answers.arguments import TrainingLoadArguments, WorkoutsArguments
from fitness_assets.answers.dated_notes import notes_in
from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import (
    Answer,
    Origin,
    clip,
    fit,
    origin_of,
    origin_of_months,
    span_of,
)
from fitness_assets.answers.periods import Period, parse_period
from fitness_assets.answers.workouts import Workouts, load_period, read_workouts
from fitness_assets.formatting import minutes, plural
from fitness_assets.record.workouts import NUMBERS

_LOAD = (
    "load: minutes of a workout weighted by its heart rate (TRIMP, Banister 1991); a workout "
    "without a heart rate has none"
)


def workouts(home: Home, asked: WorkoutsArguments) -> bytes:
    """The workouts of a period."""
    period = parse_period(asked.period)
    found = _read(home, asked.user, period)
    rows = found.training.workouts
    done = plural(len(rows), "workout")
    answer = Answer(
        about=f"{done} in {period}, the newest first, of {minutes(rows['minutes'].sum())} in all",
        user=clip(found.days.user),
        columns=["start", "activity", *NUMBERS, "load"],
        rows=[
            [
                f"{row['date']} {row['start']}",
                None if row["activity"] is None else clip(row["activity"]),
                *(_rounded(row[name], column.decimals) for name, column in NUMBERS.items()),
                _rounded(row["load"]),
            ]
            for row in rows.iloc[asked.skip :].to_dict("records")
        ],
        notes=[*_absent(found), _LOAD],
        dated_notes=notes_in(home, found.days.user, period),
        origin=_origins(found),
    )
    return fit(answer, lambda shown: f"ask with skip={asked.skip + shown}")


def training_load(home: Home, asked: TrainingLoadArguments) -> bytes:
    """The training load of each day of a period."""
    period = parse_period(asked.period)
    found = _read(home, asked.user, period)
    load = found.training.load
    notes = [*_absent(found), _LOAD, "days without a workout count as 0"]
    if load.empty:
        notes.append(f"no workout with a heart rate in {period} or the months before")
    answer = Answer(
        about=f"training load by day in {period}, and its weighted means over 7 and 42 days",
        user=clip(found.days.user),
        columns=["day", *load.columns[1:]],
        rows=[
            [f"{row['date']:%Y-%m-%d}", *(_rounded(row[name]) for name in load.columns[1:])]
            for row in load.to_dict("records")
        ],
        notes=notes,
        dated_notes=notes_in(home, found.days.user, period),
        origin=_origins(found),
    )
    return fit(
        answer, lambda shown: f'ask with period="{load["date"][shown]:%Y-%m-%d}..{period.last}"'
    )


def _read(home: Home, name: str | None, period: Period) -> Workouts:
    home.records.months_of(period)
    user = home.records.find_user(name)
    return read_workouts(home.records, period, home.records.read(user, load_period(period)))


def _origins(found: Workouts) -> list[Origin]:
    return [origin_of_months(found.sources), origin_of(found.days, found.read)]


def _absent(found: Workouts) -> list[str]:
    if not found.absent:
        return []
    return [f"the lake has no workouts of {span_of(found.absent)}; run `fitness backfill`"]


def _rounded(value: float, decimals: int = 0) -> float | int | None:
    if math.isnan(value):
        return None
    return round(value, decimals) if decimals else round(value)
