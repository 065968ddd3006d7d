"""Fitabase: one CSV a measure and length of time, of several people, on their own clocks."""

from collections.abc import Iterator, Sequence

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, each
from fitness_assets.sources.exports.options import ImportOptions, Quarantine

NAME = "fitabase"
TITLE = "Fitabase CSV"
PADDED = False

# By the two columns that tell a file apart, what it states of a day: (column, metric, factor).
_STATED = {
    ("ActivityDate", "TotalSteps"): [
        ("TotalSteps", "steps", 1.0),
        ("TotalDistance", "distance_km", 1.0),
        ("VeryActiveMinutes", "active_minutes", 1.0),
        ("FairlyActiveMinutes", "active_minutes", 1.0),
        ("SedentaryMinutes", "sedentary_minutes", 1.0),
        ("Calories", "total_kcal", 1.0),
    ],
    ("ActivityDay", "StepTotal"): [("StepTotal", "steps", 1.0)],
    ("ActivityDay", "Calories"): [("Calories", "total_kcal", 1.0)],
    ("SleepDay", "TotalMinutesAsleep"): [("TotalMinutesAsleep", "sleep_hours", 1 / 60)],
    ("Date", "WeightKg"): [("WeightKg", "weight_kg", 1.0)],
}
# What is summed, or in the case of heart rates averaged.
_SUMMED = {
    ("ActivityHour", "StepTotal"): "steps",
    ("ActivityMinute", "Steps"): "steps",
    ("ActivityHour", "Calories"): "total_kcal",
    ("ActivityMinute", "Calories"): "total_kcal",
    ("Time", "Value"): "heart_rate_avg",
}


def claims(head: bytes) -> bool:
    """Whether a file that begins with `head` is of this format."""
    names = parsing.header(head)
    known = {when for when, _ in (*_STATED, *_SUMMED)}
    return names[:1] == ["Id"] and len(names) > 1 and names[1] in known


def expects(name: str) -> bool:
    """Whether a file of this name should have been."""
    return name.endswith("_merged.csv")


def gather(
    members: Sequence[Member], days: DayAggregator, _told: ImportOptions, quarantine: Quarantine
) -> None:
    """Read `members` into `days`. The dates of each file are in a style of its own."""
    each(members, lambda member: _read(member, days, quarantine), quarantine)


def _read(member: Member, days: DayAggregator, quarantine: Quarantine) -> None:
    names = parsing.header(member.head())
    if "Id" not in names:
        raise SourceError(f"{member.name} has no column Id")
    shape = {(names[1], name) for name in names}
    for when, column in shape & _STATED.keys():
        _stated(member, when, _STATED[when, column], days, quarantine)
    for when, column in shape & _SUMMED.keys():
        _summed(member, when, column, days, quarantine)


def _stated(
    member: Member, when: str, columns: parsing.Columns, days: DayAggregator, quarantine: Quarantine
) -> None:
    """Several rows of a day are one row delivered twice: the largest counts, they do not add up."""
    found = list(parsing.records(member, quarantine))
    order = parsing.date_order({parsing.day_text(row.get(when, "")) for _, row in found})

    def take(row: dict[str, str]) -> None:
        days.state(_user(row), parsing.day(row[when], order), parsing.figures(row, columns))

    parsing.take_each(member, found, take, quarantine)


def _summed(
    member: Member, when: str, column: str, days: DayAggregator, quarantine: Quarantine
) -> None:
    """Each file is a source, so that two collection periods do not add up."""
    sums: dict[tuple[str, str, int], tuple[str, float, int]] = {}

    def gathered() -> Iterator[tuple[str, tuple[str, dict[str, str]]]]:
        for place, row in parsing.records(member, quarantine):
            yield place, (place, row)

    def take(found: tuple[str, dict[str, str]]) -> None:
        place, row = found
        amount = parsing.number(row[column])
        day, _, time = row[when].strip().partition(" ")
        key = (_user(row), day, _hour(time))
        if amount is not None:
            first, total, count = sums.get(key, (place, 0.0, 0))
            sums[key] = (first, total + amount, count + 1)

    parsing.take_each(member, gathered(), take, quarantine)
    metric = _SUMMED[when, column]
    order = parsing.date_order({day for _, day, _ in sums})

    def hand_over(found: tuple[tuple[str, str, int], float, int]) -> None:
        (user, stamp, hour), total, count = found
        day = parsing.day(stamp, order)
        if metric == "heart_rate_avg":
            days.pulse(user, day, hour, member.name, total, count)
        else:
            days.add(user, day, metric, total, member.name)

    hours = ((place, (key, total, count)) for key, (place, total, count) in sums.items())
    parsing.take_each(member, hours, hand_over, quarantine)


def _user(row: dict[str, str]) -> str:
    user = row["Id"].strip()
    # A spreadsheet makes 1.50396E+09 of it, which is several people.
    if not user.isdigit():
        raise ValueError(f"Id {parsing.shown(user)} is not a number")
    return user


def _hour(time: str) -> int:
    """The hour of ``3:07:00 PM`` or ``15:07``."""
    hour = int(time.partition(":")[0])
    half = time[-2:].upper()
    return hour % 12 + 12 * (half == "PM") if half in {"AM", "PM"} else hour
