"""The values of tidy files, as the canonical record holds them."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

import pyarrow as pa

from fitness_assets.record.activities import activity
from fitness_assets.record.raw import FULL_SCHEMA
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.sources.exports.combined_columns import summed
from fitness_assets.sources.exports.layout import Layout
from fitness_assets.sources.exports.stamps import Moment
from fitness_assets.sources.exports.written_times import parse_shown
from fitness_assets.text import shorten

MAX_TEXT_LENGTH = 1_000
_MAX_INT32 = 2**31 - 1
_DAY_MINUTES, _HOUR_MINUTES = 1440, 60
_DURATION = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d+)?)")
_INTEGERS = {field.name for field in FULL_SCHEMA if pa.types.is_integer(field.type)}


def convert(name: str, factor: float, layout: Layout, value: Any) -> Any:
    """A value of the file as the canonical column `name` holds it; None if it is missing.

    Parameters
    ----------
    name : str
    factor : float
        From the file's unit to the canonical unit.
    layout : Layout
    value : object

    Raises
    ------
    ValueError, TypeError
        If it is not a value of the column.
    """
    converter = _CONVERTERS.get(name)
    if converter is None:
        return stored(name, layout, amount(name, factor, layout, value))
    value, is_known = _known(name, layout, value)
    if value is None or is_known:
        return value
    try:
        return converter(value, layout.date_format)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error


def _known(name: str, layout: Layout, value: Any) -> tuple[Any, bool]:
    """A value, or None if it is missing; and whether it is that of a code of the layout."""
    if isinstance(value, str):
        value = value.strip()
        if layout.values and value in layout.values.get(name, ()):
            return layout.values[name][value], True
        return (None if value in layout.missing else value), False
    # Some writers use NaN for a missing value.
    return (None if value is None or value != value else value), False  # noqa: PLR0124


def amount(name: str, factor: float, layout: Layout, value: Any) -> float | None:
    """An amount in the canonical unit, not rounded; None if it is missing.

    Parameters and errors are those of `convert`.
    """
    value, is_known = _known(name, layout, value)
    if value is None:
        return None
    try:
        if name == "minutes" and isinstance(value, str) and ":" in value:
            return _clock_minutes(value)
        found = (parsing.parse_amount(value) or 0.0) * (1.0 if is_known else factor)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from error
    # A part of a sum may be zero.
    is_missing = found == 0 and name in layout.zero_is_missing and not summed(name)
    return None if is_missing else found


def stored(name: str, layout: Layout, amount: float | None) -> float | int | None:
    """An amount as the canonical column `name` holds it; unchanged if it is of a part of a day.

    Raises
    ------
    ValueError
        If it is too large for a whole number.
    """
    if amount is None or (amount == 0 and name in layout.zero_is_missing):
        return None
    if name not in _INTEGERS or layout.rows != "day":
        return amount
    if amount > _MAX_INT32:
        raise ValueError(f"{name} is {amount:.0f}")
    return round(amount)


def _to_text(value: Any, _date_format: str | None) -> str | None:
    if isinstance(value, str | bytes) and len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"{shorten(value)} has {len(value):,} characters")
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip() or None


def _to_timestamp(value: Any, _date_format: str | None) -> datetime:
    stamp = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    check_day(stamp.date())
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _to_local_time(value: Any, _date_format: str | None) -> datetime:
    """A time on the local clock; for a timestamp with an offset, the time that it shows."""
    stamp = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    check_day(stamp.date())
    return stamp.replace(tzinfo=None)


def _to_day(value: Any, date_format: str | None) -> date:
    """A day; for a timestamp the day that it shows, whatever its offset."""
    if isinstance(value, datetime):
        return check_day(value.date())
    if isinstance(value, date):
        return check_day(value)
    text = str(value).strip()
    if len(text) > MAX_TEXT_LENGTH:
        raise ValueError(f"{shorten(text)} is not a date")
    return _parse_day(text, date_format)


@lru_cache(maxsize=4096)
def _parse_day(text: str, date_format: str | None) -> date:
    if date_format is None:
        return parsing.parse_day(text)
    return check_day(datetime.strptime(text, date_format).date())  # noqa: DTZ007 - a day


def _to_activity(value: Any, _date_format: str | None) -> str | None:
    return activity(_to_text(value, None) or "")


# Converters of columns that are not amounts.
_CONVERTERS: dict[str, Callable[[Any, str | None], Any]] = {
    **{field.name: _to_text for field in FULL_SCHEMA if pa.types.is_string(field.type)},
    "date": _to_day,
    "ingested_at": _to_timestamp,
    "sleep_start": _to_local_time,
    "sleep_end": _to_local_time,
    "activity_type": _to_activity,
}


def moment(values: tuple[Any, Any], layout: Layout, zone: tzinfo | None) -> Moment | None:
    """When a row begins that is a part of a day.

    Parameters
    ----------
    values : tuple
        Of the columns ``date`` and ``time``. Without a time, the date is a timestamp.
    layout : Layout
    zone : tzinfo or None
        Of the user. A timestamp with an offset is converted to it; without it, the time that it
        shows is that of the user.

    Returns
    -------
    Moment or None
        None if the date is missing.

    Raises
    ------
    ValueError
        If it is not a time.
    """
    stamp, time = values
    stamp, _ = _known("date", layout, stamp)
    if stamp is None:
        return None
    if layout.time is not None:
        shown = _with_time(_to_day(stamp, layout.date_format), time, layout.rows)
    else:
        shown = _to_moment(stamp, layout.date_format)
    check_day(shown.date())
    if shown.tzinfo is None:
        return Moment(shown.replace(tzinfo=zone or UTC).timestamp(), shown)
    local = shown.astimezone(zone or shown.tzinfo).replace(tzinfo=None)
    check_day(local.date())
    return Moment(shown.timestamp(), local)


def _to_moment(value: Any, date_format: str | None) -> datetime:
    if isinstance(value, datetime):
        return value
    text = str(value).strip()
    if len(text) > MAX_TEXT_LENGTH:
        raise ValueError(f"{shorten(text)} is not a timestamp")
    if date_format is not None:
        return datetime.strptime(text, date_format)  # noqa: DTZ007 - the format may have an offset
    if ":" not in text:
        raise ValueError(f"{shorten(text)} has no time of day, and no columns.time is declared")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parse_shown(text)


def _with_time(day: date, value: Any, rows: str) -> datetime:
    """A day at ``13:45``, or after a number of hours; in rows of a minute, of minutes."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local times have no zone
    text = str(value).strip()
    if ":" in text:
        return parse_shown(f"{day} {text}")
    number = float(text) if text.replace(".", "", 1).isdecimal() else -1.0
    minutes = number * (1 if rows == "minute" else _HOUR_MINUTES)
    if not number.is_integer() or not 0 <= minutes < _DAY_MINUTES:
        raise ValueError(f"{shorten(text)} is not a time of day")
    return midnight + timedelta(minutes=minutes)


def _clock_minutes(text: str) -> float:
    """The minutes of a duration such as ``1:02:30``, of hours, minutes and seconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{shorten(text)} is not a duration such as 1:02:30")
    hours, minutes, seconds = map(float, match.groups())
    return hours * _HOUR_MINUTES + minutes + seconds / 60
