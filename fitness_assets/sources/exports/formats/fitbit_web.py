"""The export of Fitbit's web site: one CSV of titled sections, of at most a month.

It does not say its units, which follow the account. A step is between 0.6 and 0.9 m long, and
people are between 1.45 and 2.1 m tall, which tells kilometres from miles and kilogrammes from
pounds.
"""

import re
import statistics
from collections.abc import Sequence
from datetime import date

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, each
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "fitbit_web"
TITLE = "Fitbit's web export"
PADDED = True

_TITLES = {"Body": "Date", "Foods": "Date", "Activities": "Date", "Sleep": "Start Time"}
_CLAIM = re.compile(
    rb'^(\xef\xbb\xbf)?\s*"?(Body|Foods|Activities|Sleep)"?,*\s*\n\s*"?(Date|Start Time)"?,'
)
_ACTIVITIES = (
    ("Steps", "steps", 1.0),
    ("Calories Burned", "total_kcal", 1.0),
    ("Minutes Sedentary", "sedentary_minutes", 1.0),
    ("Minutes Fairly Active", "active_minutes", 1.0),
    ("Minutes Very Active", "active_minutes", 1.0),
)
_KM_PER_MILE = 1.609344
_KG_PER_POUND = 0.45359237
# Kilometres a step: half-way between the mean step in km and in miles.
_SHORTEST_STEP = 0.00056
# Weight by body mass index is the square of the height, in m² if it is of kilogrammes.
_TALLEST = 2.1**2

_Row = tuple[str, dict[str, str]]


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` is of this format."""
    return _CLAIM.match(head) is not None


def expects(_name: str) -> bool:
    """No name is sure enough."""
    return False


def gather(
    members: Sequence[Member], days: DayAggregator, told: ImportOptions, quarantine: Quarantine
) -> None:
    """Read `members` into `days`."""
    user = told.person(TITLE)
    # Exports overlap, and deliver a night again.
    nights: dict[tuple[str, str], tuple[date, float]] = {}
    each(members, lambda member: _read(member, user, days, nights, quarantine), quarantine)
    for day, hours in nights.values():
        days.add(user, day, "sleep_hours", hours, NAME)


def _read(
    member: Member,
    user: str,
    days: DayAggregator,
    nights: dict[tuple[str, str], tuple[date, float]],
    quarantine: Quarantine,
) -> None:
    sections = _sections(member, quarantine)
    order = parsing.date_order(
        {
            parsing.day_text(row[_TITLES[title]])
            for title, found in sections.items()
            for _, row in found
        }
    )
    to_km = _KM_PER_MILE if _is_miles(sections["Activities"]) else 1.0
    columns = (*_ACTIVITIES, ("Distance", "distance_km", to_km))

    def activities(row: dict[str, str]) -> None:
        days.state(user, parsing.day(row["Date"], order), parsing.figures(row, columns))

    def body(row: dict[str, str]) -> None:
        weight, index = parsing.number(row["Weight"]), parsing.number(row["BMI"])
        if weight and index:
            to_kg = _KG_PER_POUND if weight / index > _TALLEST else 1.0
            days.state(user, parsing.day(row["Date"], order), {"weight_kg": weight * to_kg})

    def sleep(row: dict[str, str]) -> None:
        key = (row["Start Time"], row["End Time"])
        night = (parsing.day(key[1], order), (parsing.number(row["Minutes Asleep"]) or 0.0) / 60)
        nights[key] = max(night, nights.get(key, night))

    for title, take in {"Activities": activities, "Body": body, "Sleep": sleep}.items():
        parsing.take_each(member, sections[title], take, quarantine)


def _sections(member: Member, quarantine: Quarantine) -> dict[str, list[_Row]]:
    """The rows of each section, by title; only those that have every column."""
    sections: dict[str, list[_Row]] = {title: [] for title in _TITLES}
    title = ""
    names: list[str] = []
    for place, row in parsing.rows(member, quarantine):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            title = ""
        elif not title or (cells[0] in _TITLES and not any(cells[1:])):
            title, names = cells[0], []
        elif title not in _TITLES:
            # A food log, a day each: what was eaten is not read.
            continue
        elif not names:
            names = cells
            if _TITLES[title] not in names:
                raise SourceError(f"{member.name}, {place}: {title} lacks {_TITLES[title]}")
        elif len(cells) < len(names):
            quarantine(member.name, place, f"{len(cells)} values for {len(names)} columns")
        else:
            sections[title].append((place, dict(zip(names, cells, strict=False))))
    return sections


def _is_miles(rows: list[_Row]) -> bool:
    lengths = []
    for _, row in rows:
        try:
            steps, distance = parsing.number(row["Steps"]), parsing.number(row["Distance"])
        except (KeyError, ValueError):
            continue
        if steps and distance:
            lengths.append(distance / steps)
    return bool(lengths) and statistics.median(lengths) < _SHORTEST_STEP
