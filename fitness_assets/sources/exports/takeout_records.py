"""The rows of the newer CSV of a Google Takeout's Fitbit files, and the objects of the old JSON."""

from collections.abc import Iterator, Sequence
from typing import Any

from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.number_style import number_column
from fitness_assets.sources.exports.tables import Table
from fitness_assets.sources.exports.takeout_files import DAILY_COLUMNS

#: The source of readings in the old export, which names none.
OLD_SOURCE = "Global Export Data"
#: The column of heart rates of the newer CSV.
HEART_RATE_COLUMN = "beats per minute"
#: Streams of daily means, with their metrics.
DAILY_MEANS = {
    "variability": "hrv_rmssd",
    "oxygen": "spo2",
    "respiration": "respiration_rate",
    "vo2_max": "vo2_max",
}
# Number columns of the newer CSV.
_NUMBERS = {
    "steps": number_column("steps"),
    "distance": number_column("distance_km", 0.001),
    "calories": number_column("total_kcal"),
    HEART_RATE_COLUMN: number_column("heart_rate_avg"),
    "weight grams": number_column("weight_kg", 0.001),
    "height millimeters": number_column("height_cm", 0.1),
    "floors": number_column("floors"),
    **{
        column: number_column(DAILY_MEANS[stream])
        for stream, columns in DAILY_COLUMNS.items()
        for column in columns
    },
}


def records(member: Member, quarantine: Quarantine) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows or objects of a file, each with its place.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    if not member.name.lower().endswith(".csv"):
        return parsing.json_records(member, quarantine)
    table = Table(member, quarantine)
    table.detect(_NUMBERS)
    return table.records()


def daily_mean(item: dict[str, Any], columns: Sequence[str]) -> tuple[Any, Any]:
    """The value of a daily mean of the newer CSV or the old JSON, and its timestamp.

    Raises
    ------
    KeyError
        If it has none.
    """
    if "timestamp" in item:
        column = next((name for name in columns if name in item), columns[0])
        return item[column], item["timestamp"]
    value = item["value"]
    if isinstance(value, dict):
        value = next((each for name, each in value.items() if name.endswith("VO2Max")), None)
    return value, item["dateTime"]


def reading(item: dict[str, Any], column: str) -> tuple[str, Any, Any]:
    """Source, timestamp and value of a reading of the newer CSV or the old JSON.

    Raises
    ------
    KeyError
        If it lacks one of them.
    """
    if "timestamp" in item:
        return item.get("data source", ""), item["timestamp"], item[column]
    return OLD_SOURCE, item["dateTime"], item["value"]
