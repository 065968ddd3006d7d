"""Google Fit: the daily activity metrics of a Google Takeout, one row a day.

Columns vary by user and are found by name, in English, German or Spanish. Names are compared
without accents, case and kind of dash, which differ within one file. Latitude and longitude are
never read. Sleep is left out: the file splits a night at midnight, so its hours cannot be assigned
to the day of waking. So are the files of one day, in intervals of 15 minutes: the file of all days
has their sums.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.activities import activity
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.archive import Member, read_each
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.report import note_of_unread
from fitness_assets.sources.exports.tables import Table, csv_header

_DATES = ("date", "datum", "fecha")
# First columns of the files of one day.
_INTERVAL_STARTS = ("start time", "beginn", "startzeit", "hora de inicio")
# By column, the metric and the factor to its unit.
_COLUMNS = {
    **dict.fromkeys(("step count", "schrittzahl", "recuento de pasos"), ("steps", 1.0)),
    **dict.fromkeys(("distance (m)", "distanz (m)", "distancia (m)"), ("distance_km", 0.001)),
    **dict.fromkeys(("calories (kcal)", "kalorien (kcal)", "calorias (kcal)"), ("total_kcal", 1.0)),
    **dict.fromkeys(
        (
            "move minutes count",
            "anzahl der aktivitatsminuten",
            "aktive minuten",
            "recuento de minutos activos",
        ),
        ("active_minutes", 1.0),
    ),
    **dict.fromkeys(
        (
            "average heart rate (bpm)",
            "durchschnittliche herzfrequenz (bpm)",
            "frecuencia cardiaca media (ppm)",
        ),
        ("heart_rate_avg", 1.0),
    ),
    **dict.fromkeys(
        ("average weight (kg)", "durchschnittsgewicht (kg)", "peso medio (kg)"),
        ("weight_kg", 1.0),
    ),
}
_DURATION = re.compile(r"(.+?)(?: -)? (?:duration|dauer|duracion) \(ms\)")
# Columns that say nothing about the record, in all languages.
_IGNORED = re.compile(r"\(ms\)|\(deg\)|\(°\)|\(m/s\)|heart points|heart minutes|kardiopunkte")
_MS_PER_MINUTE = 60_000
# Words in the names of durations that are not activities.
_NOT_ACTIVITIES = (
    *("inactive", "sleep", "bed", "vehicle", "tilting", "unknown", "still"),
    *("inaktiv", "schlaf", "bett", "fahrzeug", "kippen", "unbekannt"),
    *("inactiv", "dormi", "sueno", "cama", "vehiculo", "desconocid"),
)
# Activities in other languages.
_ACTIVITIES = {
    **dict.fromkeys(("gehen", "caminar", "andar", "gehen mit schritttempovorgabe"), "walking"),
    **dict.fromkeys(("laufen", "joggen", "correr"), "running"),
    **dict.fromkeys(("radfahren", "ciclismo", "bicicleta"), "cycling"),
    **dict.fromkeys(("schwimmen", "natacion", "nadar"), "swimming"),
    **dict.fromkeys(("wandern", "senderismo"), "hiking"),
    **dict.fromkeys(
        ("krafttraining", "intervalltraining", "entrenamiento de fuerza", "levantamiento de pesas"),
        "gym_workout",
    ),
    "seilspringen": "jump_rope",
}


def matches_header(head: bytes) -> bool:
    """Whether `head` is a CSV header with a date, or the start of an interval, and known columns.

    The files of one day are matched so that they are reported.
    """
    names = {_plain(name) for name in csv_header(head)}
    is_known = len(names & _COLUMNS.keys()) > 1
    return is_known and not names.isdisjoint((*_DATES, *_INTERVAL_STARTS))


def matches_name(name: str) -> bool:
    """Whether `name` is that of the daily metrics."""
    return name.endswith("Daily activity metrics.csv")


def read(
    members: Sequence[Member], options: ImportOptions, quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The canonical records of `members`."""
    user = options.required_user(FORMAT.title)
    days = DayAggregator(FORMAT.name)

    def read_member(member: Member) -> None:
        table = Table(member, quarantine)
        plain = {_plain(name): name for name in table.names}
        date_column = next((plain[name] for name in _DATES if name in plain), None)
        if date_column is None:
            if plain.keys() & set(_INTERVAL_STARTS):
                raise SourceError(
                    f"{member.name} holds intervals of one day, which are not read: import the "
                    "file of all days, which has a row a day"
                )
            raise SourceError(f"{member.name} has no column Date")
        conversions = [(name, *_COLUMNS[key]) for key, name in plain.items() if key in _COLUMNS]
        durations = {
            name: match[1] for key, name in plain.items() if (match := _DURATION.fullmatch(key))
        }
        unread = [
            name
            for key, name in plain.items()
            if name and key not in _COLUMNS and key not in _DATES and not _IGNORED.search(key)
        ]
        if unread:
            member.usage.notes.append(note_of_unread(unread))
        numbers = {name: number_column(metric, factor) for name, metric, factor in conversions}
        order = table.detect(numbers, date_column)

        def process(row: dict[str, str]) -> Iterable[str]:
            day = parsing.parse_day(row[date_column], order)
            values = parsing.convert(row, conversions)
            days.add_daily_values(user, day, values)
            has_workout = False
            for name, length in _workouts(row, durations):
                days.add_activity(user, day, name, length / _MS_PER_MINUTE)
                has_workout = True
            return [*values, *(["activity_type"] if has_workout else [])]

        parsing.process_each(member, table.records(), process, quarantine)

    read_each(members, read_member, quarantine)
    return days.record_batches(quarantine, options.delivered)


def _workouts(row: Mapping[str, str], durations: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    """The activities of a row and their durations."""
    for column, name in durations.items():
        length = parsing.parse_amount(row[column])
        if length and not any(word in name for word in _NOT_ACTIVITIES):
            yield _ACTIVITIES.get(name) or activity(name) or name, length


def _plain(name: str) -> str:
    """A column name in lower case, without accents, and with plain dashes and spaces."""
    decomposed = unicodedata.normalize("NFKD", name)
    letters = "".join(each for each in decomposed if not unicodedata.combining(each))
    return " ".join(re.sub("[\\u2010-\\u2015\\u2212]", "-", letters).lower().split())


FORMAT = Format(
    name="google_fit",
    title="Google Fit's Daily activity metrics.csv",
    priority=70,
    matches_header=matches_header,
    matches_name=matches_name,
    read=read,
    has_user_ids=False,
    identified_by="CSV with `Date` and at least two of `Step count`, `Distance (m)`, "
    "`Calories (kcal)`, `Move Minutes count`, `Average heart rate (bpm)` and "
    "`Average weight (kg)`, or their German or Spanish names.",
    dates="`Date` as 2018-04-03, the local day; another order is detected for each file.",
    units="m, kcal, minutes and kg, as the column names say.",
    columns={
        "steps": "`Step count`",
        "distance_km": "`Distance (m)`",
        "calories_burned": "`Calories (kcal)`",
        "calories_kind": "always `total`",
        "heart_rate_avg": "`Average heart rate (bpm)`",
        "active_minutes": "`Move Minutes count`",
        "activity_type": "the activity with the longest `… duration (ms)`",
        "weight_kg": "`Average weight (kg)`",
    },
)
