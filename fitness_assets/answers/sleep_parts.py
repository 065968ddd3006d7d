"""The sleep of a report."""

from collections.abc import Callable, Iterator

import numpy as np

from fitness_assets.answers import statistics
from fitness_assets.answers.pages.document import Paragraph, Part
from fitness_assets.answers.records import Days, Sources
from fitness_assets.answers.statistics import LEAST_DAYS
from fitness_assets.formatting import number, percent, time_of_day
from fitness_assets.history.sleep_times import (
    SleepTimes,
    clock_minutes,
    sleep_times,
    weekend_sentence,
)
from fitness_assets.record.raw import SLEEP_SPAN

# Hours of sleep that adults need at least (Watson et al., Sleep 38:843, 2015).
_SLEEP_HOURS = 7
_SATURDAY = 5


def sleep_parts(days: Days, letter: Callable[[Sources], str]) -> Iterator[Part]:
    """How long the nights of a period were; `letter` gives the letter of a source."""
    dates, hours = days.values("sleep_hours")
    found = statistics.summarize(dates, hours)
    if found is None:
        yield Paragraph("No night is known.")
        return
    enough = int((hours >= _SLEEP_HOURS).sum())
    weekend = np.array([day.weekday() >= _SATURDAY for day in dates])
    text = (
        f"{number(found.days)} nights, median {number(found.median, 1)} h, 80% of them between "
        f"{number(found.p10, 1)} and {number(found.p90, 1)} h. {number(enough)} "
        f"({percent(enough / found.days)}) had at least {_SLEEP_HOURS} h, which adults "
        "need (Watson et al., Sleep 38:843, 2015). "
        f"Shortest {number(found.low, 1)} h ({found.low_day}), longest "
        f"{number(found.high, 1)} h ({found.high_day})."
    )
    if min(weekend.sum(), (~weekend).sum()) >= LEAST_DAYS:
        text += (
            f" Median of nights that end on Saturday or Sunday "
            f"{number(float(np.median(hours[weekend])), 1)} h, of others "
            f"{number(float(np.median(hours[~weekend])), 1)} h."
        )
    if (times := _times(days)) is not None:
        text += (
            f" In {number(times.nights)} nights with known times asleep from "
            f"{time_of_day(times.start)} to {time_of_day(times.end)}, by median."
        )
        if times.weekend_later is not None:
            text += f" {weekend_sentence(times.weekend_later)}"
        if times.regularity is not None:
            text += (
                f" Sleep Regularity Index {number(times.regularity)} of 100 (Phillips et al., Sci "
                "Rep 7:3216, 2017), without naps."
            )
    yield Paragraph(f"{text} [{letter(days.sources)}]")


def _times(days: Days) -> SleepTimes | None:
    if not set(SLEEP_SPAN) <= set(days.table.column_names):
        return None
    table = days.table.select(["date", *SLEEP_SPAN]).to_pandas()
    spans = {name: clock_minutes(table["date"], table[name]) for name in SLEEP_SPAN}
    return sleep_times(table.assign(**spans))
