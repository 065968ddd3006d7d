"""Google Fit: `Daily activity metrics.csv` of a Takeout, one row a day.

Its columns vary by person and go by name; those of latitude and longitude are never read. Sleep is
left out: the file splits a night at midnight, which no total of a day of waking can be told from.
"""

from collections.abc import Sequence

from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, each
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "google_fit"
TITLE = "Google Fit's Daily activity metrics.csv"
PADDED = False

_COLUMNS = (
    ("Step count", "steps", 1.0),
    ("Distance (m)", "distance_km", 0.001),
    ("Calories (kcal)", "total_kcal", 1.0),
    ("Move Minutes count", "active_minutes", 1.0),
    ("Average heart rate (bpm)", "heart_rate_avg", 1.0),
    ("Average weight (kg)", "weight_kg", 1.0),
)
_DURATION = " duration (ms)"
_NOT_ACTIVITIES = ("inactive", "sleep", "bed", "vehicle", "tilting", "unknown", "still")


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` is of this format."""
    names = parsing.header(head)
    return "Date" in names and len({column for column, _, _ in _COLUMNS} & set(names)) > 1


def expects(name: str) -> bool:
    """Whether a file of this name should have been."""
    return name.endswith("Daily activity metrics.csv")


def gather(
    members: Sequence[Member], days: DayAggregator, told: ImportOptions, quarantine: Quarantine
) -> None:
    """Read `members` into `days`."""
    user = told.person(TITLE)
    each(members, lambda member: _read(member, user, days, quarantine), quarantine)


def _read(member: Member, user: str, days: DayAggregator, quarantine: Quarantine) -> None:
    def take(row: dict[str, str]) -> None:
        day = parsing.day(row["Date"])
        days.state(user, day, parsing.figures(row, _COLUMNS))
        for name, value in row.items():
            length = parsing.number(value) if name.endswith(_DURATION) else None
            if length and not any(word in name.lower() for word in _NOT_ACTIVITIES):
                days.exercise(user, day, activity(name.removesuffix(_DURATION)), length)

    parsing.take_each(member, parsing.records(member, quarantine), take, quarantine)
