"""The sleep of a report."""

from collections.abc import Callable, Iterator

import numpy as np

from fitness_assets.answers import statistics
from fitness_assets.answers.pages.document import Paragraph, Part
from fitness_assets.answers.records import Days, Sources
from fitness_assets.answers.statistics import LEAST_DAYS
from fitness_assets.formatting import number, percent

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
    yield Paragraph(f"{text} [{letter(days.sources)}]")
