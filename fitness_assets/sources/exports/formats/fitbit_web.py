"""The export of Fitbit's web site: one CSV with titled sections, of up to a month.

Its units follow the account and are not stated. They are inferred: a step is between 0.6 and 0.9 m
long, which separates km from miles, and the body mass index separates kg, pounds and stones.
"""

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.body_weight import kg_per_unit
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.date_order import detect_date_order
from fitness_assets.sources.exports.number_style import DecimalDetector, number_column, to_point
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format, matches_no_name
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.tables import Table
from fitness_assets.sources.exports.written_times import parse_shown

# Sections by title, with their date columns.
_DATE_COLUMNS = {"Body": "Date", "Foods": "Date", "Activities": "Date", "Sleep": "Start Time"}
_HEADER = re.compile(
    rb'^(\xef\xbb\xbf)?(sep=.\s+)?\s*"?(Body|Foods|Activities|Sleep)"?[,;\t]*\s*[\r\n]\s*'
    rb'"?(Date|Start Time)"?[,;\t]'
)
_ACTIVITIES = (
    ("Steps", "steps", 1.0),
    ("Calories Burned", "total_kcal", 1.0),
    ("Minutes Sedentary", "sedentary_minutes", 1.0),
    ("Minutes Fairly Active", "active_minutes", 1.0),
    ("Minutes Very Active", "active_minutes", 1.0),
    ("Minutes Lightly Active", "light_minutes", 1.0),
    ("Minutes Fairly Active", "moderate_minutes", 1.0),
    ("Minutes Very Active", "vigorous_minutes", 1.0),
    ("Floors", "floors", 1.0),
)
_STAGES = (
    ("Minutes Deep Sleep", "sleep_deep", 1.0),
    ("Minutes Light Sleep", "sleep_light", 1.0),
    ("Minutes REM Sleep", "sleep_rem", 1.0),
    ("Minutes Awake", "sleep_awake", 1.0),
)
# What the export writes for the stages of a sleep that was too short for them.
_NO_STAGE = {"N/A", "NA", "--", "-"}
#: Of one file.
MAX_BYTES = 8 << 20
_KM_PER_MILE = 1.609344
_KG_PER_POUND = 0.45359237
# Half-way between the mean length of a step in km and in miles.
_MAX_STEP_MILES = 0.00056
# Number columns, with their metrics. Those that are not imported help to detect the decimal sign.
_NUMBERS = {
    **{column: number_column(metric) for column, metric, _ in _ACTIVITIES},
    "Distance": number_column("distance_km"),
    "Activity Calories": number_column("calories_burned"),
    "Calories In": number_column("calories_burned"),
    "Weight": number_column("weight_kg", _KG_PER_POUND),
    "BMI": number_column("weight_kg"),
    **dict.fromkeys(
        ("Minutes Asleep", "Minutes Awake", "Time in Bed"), number_column("sedentary_minutes")
    ),
}

_Row = tuple[str, dict[str, str]]
# By start and end of a night as written: the day of waking and the night.
_Nights = dict[tuple[str, str], tuple[date, Night]]


def matches_header(head: bytes) -> bool:
    """Whether `head` is the title of a section and its header."""
    return _HEADER.match(head) is not None


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    user = options.required_user(FORMAT.title)
    days = DayAggregator(FORMAT.name)
    # Exports overlap, and may hold the same night twice.
    nights: _Nights = {}
    read_each(
        members, lambda member: _read_member(member, user, days, nights, quarantine), quarantine
    )
    for day, night in nights.values():
        days.add_night(user, day, FORMAT.name, night)
    # An export of the current month fills its future days with zeros.
    return days.record_batches(quarantine, options.delivered, drop_trailing_empty_days=True)


def _read_member(
    member: Member, user: str, days: DayAggregator, nights: _Nights, quarantine: Quarantine
) -> None:
    # It is held in memory as a whole. An export has at most the days of a month.
    if member.size > MAX_BYTES:
        raise SourceError(
            f"{member.name} is {member.size:,} bytes; a web export over {MAX_BYTES:,} is not read"
        )
    sections = _in_point_style(_sections(member, quarantine), member, quarantine)
    order = detect_date_order(
        {
            parsing.date_part(row[_DATE_COLUMNS[title]])
            for title, rows in sections.items()
            for _, row in rows
        },
        member.name,
    )
    to_km = _KM_PER_MILE if _is_in_miles(sections["Activities"]) else 1.0
    conversions = (*_ACTIVITIES, ("Distance", "distance_km", to_km))
    to_kg = kg_per_unit(parsing.amounts((row for _, row in sections["Body"]), "Weight", "BMI"))

    def add_activities(row: dict[str, str]) -> Iterable[str]:
        day = parsing.parse_day(row["Date"], order)
        values = parsing.convert(row, conversions)
        days.add_daily_values(user, day, values)
        return values

    def add_body(row: dict[str, str]) -> Iterable[str]:
        weight = parsing.parse_amount(row["Weight"])
        if not weight:
            return ()
        if to_kg is None:
            raise ValueError("the unit of the weight cannot be inferred: no body mass index fits")
        day = parsing.parse_day(row["Date"], order)
        days.add_daily_values(user, day, {"weight_kg": weight * to_kg})
        return ("weight_kg",)

    def add_sleep(row: dict[str, str]) -> Iterable[str]:
        key = (row["Start Time"], row["End Time"])
        day = parsing.parse_day(key[1], order)
        known = {name: value for name, value in row.items() if value not in _NO_STAGE}
        night = Night(
            hours=(parsing.parse_amount(row["Minutes Asleep"]) or 0.0) / 60,
            start=parse_shown(key[0], order),
            end=parse_shown(key[1], order),
            stages=parsing.convert(known, _STAGES),
        )
        if key not in nights or night.hours > nights[key][1].hours:
            nights[key] = (day, night)
        return night.columns()

    processors = {"Activities": add_activities, "Body": add_body, "Sleep": add_sleep}
    for title, process in processors.items():
        parsing.process_each(member, sections[title], process, quarantine)


def _sections(member: Member, quarantine: Quarantine) -> dict[str, list[_Row]]:
    """The rows of each section, by title. Rows with missing columns are quarantined."""
    sections: dict[str, list[_Row]] = {title: [] for title in _DATE_COLUMNS}
    title = ""
    names: list[str] = []
    for place, row in Table(member, quarantine).rows():
        cells = [cell.strip() for cell in row]
        if not any(cells):
            title = ""
        elif not title or (cells[0] in _DATE_COLUMNS and not any(cells[1:])):
            title, names = cells[0], []
        elif title not in _DATE_COLUMNS:
            # Food logs, one section a day, are not read.
            continue
        elif not names:
            names = cells
            if _DATE_COLUMNS[title] not in names:
                raise SourceError(
                    f"{member.name}, {place}: {title} has no column {_DATE_COLUMNS[title]}"
                )
        elif len(cells) < len(names):
            quarantine(member.name, place, f"{len(cells)} values for {len(names)} columns")
        else:
            sections[title].append((place, dict(zip(names, cells, strict=False))))
    return sections


def _in_point_style(
    sections: dict[str, list[_Row]], member: Member, quarantine: Quarantine
) -> dict[str, list[_Row]]:
    """The rows with decimal points, whatever the decimal sign of the file."""
    detector = DecimalDetector({name: each for name, each in _NUMBERS.items() if each is not None})
    rows = [placed for section in sections.values() for placed in section]
    for place, row in rows:
        for name in detector.columns.keys() & row.keys():
            detector.add(place, name, row[name])
    sign = detector.sign(member.name)
    if sign == ".":
        return sections
    member.usage.notes.append("read with a decimal comma")
    converted: dict[str, list[_Row]] = {title: [] for title in sections}
    for title, section in sections.items():
        for place, row in section:
            try:
                numbers = {
                    name: to_point(row[name], sign) for name in detector.columns.keys() & row.keys()
                }
            except ValueError as error:
                quarantine(member.name, place, str(error))
            else:
                converted[title].append((place, row | numbers))
    return converted


def _is_in_miles(rows: list[_Row]) -> bool:
    step_lengths = [
        distance / steps
        for steps, distance in parsing.amounts((row for _, row in rows), "Steps", "Distance")
        if steps and distance
    ]
    return bool(step_lengths) and statistics.median(step_lengths) < _MAX_STEP_MILES


FORMAT = Format(
    name="fitbit_web",
    title="Fitbit's web export",
    priority=30,
    matches_header=matches_header,
    matches_name=matches_no_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV that begins with the section `Body`, `Foods`, `Activities` or `Sleep` and "
    "its header.",
    dates="Local time. Year, month or day first: the order is detected for each file. Future days, "
    "which the export fills with zeros, are left out.",
    units="km or miles, inferred from the length of a step; kg, pounds or stones, inferred from "
    "the body mass index; kcal and minutes.",
    columns={
        "steps": "`Steps`",
        "distance_km": "`Distance`",
        "calories_burned": "`Calories Burned`",
        "calories_kind": "always `total`",
        "sleep_hours": "`Minutes Asleep`, on the day of waking",
        "active_minutes": "`Minutes Fairly Active` + `Minutes Very Active`",
        "sedentary_minutes": "`Minutes Sedentary`",
        "weight_kg": "`Weight`",
        "sleep_deep": "`Minutes Deep Sleep`",
        "sleep_light": "`Minutes Light Sleep`",
        "sleep_rem": "`Minutes REM Sleep`",
        "sleep_awake": "`Minutes Awake`, if there are stages",
        "sleep_start": "`Start Time` of the longest sleep",
        "sleep_end": "`End Time` of the longest sleep",
        "floors": "`Floors`",
        "light_minutes": "`Minutes Lightly Active`",
        "moderate_minutes": "`Minutes Fairly Active`",
        "vigorous_minutes": "`Minutes Very Active`",
    },
)
