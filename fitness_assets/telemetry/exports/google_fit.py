"""Google Fit: `Daily activity metrics.csv` of a Takeout, one row a day.

Its columns vary by person and go by name; those of latitude and longitude are never read. Sleep is
left out: the file splits a night at midnight, which no total of a day of waking can be told from.
"""

from collections.abc import Sequence

from fitness_assets.telemetry.exports import text
from fitness_assets.telemetry.exports.activities import activity
from fitness_assets.telemetry.exports.archive import Member, each
from fitness_assets.telemetry.exports.days import Days
from fitness_assets.telemetry.exports.told import Quarantine, Told

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
    names = text.header(head)
    return "Date" in names and len({column for column, _, _ in _COLUMNS} & set(names)) > 1


def expects(name: str) -> bool:
    """Whether a file of this name should have been."""
    return name.endswith("Daily activity metrics.csv")


def gather(members: Sequence[Member], days: Days, told: Told, quarantine: Quarantine) -> None:
    """Read `members` into `days`."""
    user = told.person(TITLE)
    each(members, lambda member: _read(member, user, days, quarantine), quarantine)


def _read(member: Member, user: str, days: Days, quarantine: Quarantine) -> None:
    def take(row: dict[str, str]) -> None:
        day = text.day(row["Date"])
        days.state(user, day, text.figures(row, _COLUMNS))
        for name, value in row.items():
            length = text.number(value) if name.endswith(_DURATION) else None
            if length and not any(word in name.lower() for word in _NOT_ACTIVITIES):
                days.exercise(user, day, activity(name.removesuffix(_DURATION)), length)

    text.take_each(member, text.records(member, quarantine), take, quarantine)
