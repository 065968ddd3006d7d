"""Timestamps and offsets as exports write them."""

import re
from datetime import datetime

from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import check_day
from fitness_assets.text import shorten

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d\d)?")
_NO_OFFSET = {"Z", "UTC", "GMT", "UTCZ"}
_HOUR_SECONDS, _MAX_OFFSET = 3600, 18 * 3600
_NOON = 12
# A time of day, with a narrow unbreakable space before AM and PM in newer exports.
_TIME = re.compile(
    r"\b(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:[\s\u00a0\u202f]*([ap])\.?m\b)?", re.IGNORECASE
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_FIRST = re.compile(r"([a-z]{3})[a-z]*\.? (\d{1,2}),? (\d{4})", re.IGNORECASE)
_DAY_FIRST = re.compile(r"(\d{1,2})\.? ([a-z]{3})[a-z]*\.?,? (\d{4})", re.IGNORECASE)


def parse_shown(text: str, order: str = "ymd") -> datetime:
    """A date and a time of day, without a zone.

    Such as ``2026-01-05 22:55:00``, ``05.01.2026, 22:55``, ``Jan 5, 2026, 10:55:00 PM`` and
    ``5 Jan 2026, 22:55:00``.

    Parameters
    ----------
    text : str
    order : str
        Of the parts of a date in digits.

    Raises
    ------
    ValueError
        If it is not a timestamp.
    """
    match = _TIME.search(text)
    hour = 0 if match is None else int(match[1])
    if match is None or (match[4] is not None and not 1 <= hour <= _NOON):
        raise ValueError(f"{shorten(text)} is not a timestamp")
    if match[4] is not None:
        hour = hour % _NOON + _NOON * (match[4].lower() == "p")
    try:
        day = parsing.parse_day(_in_digits(text) or text, "ymd" if _in_digits(text) else order)
        return datetime(day.year, day.month, day.day, hour, int(match[2]), int(match[3] or 0))  # noqa: DTZ001 - local times have no zone
    except ValueError as error:
        raise ValueError(f"{shorten(text)} is not a timestamp") from error


def _in_digits(text: str) -> str:
    """The date of a text with the name of a month, as year, month and day; else empty."""
    stripped = text.strip()
    if match := _MONTH_FIRST.match(stripped):
        month, day, year = match.groups()
    elif match := _DAY_FIRST.match(stripped):
        day, month, year = match.groups()
    else:
        return ""
    if month.lower() not in _MONTHS:
        return ""
    return f"{year}-{_MONTHS.index(month.lower()) + 1}-{day}"


def parse_stamp(stamp: str) -> datetime:
    """An ISO 8601 timestamp of a day in the range of `check_day`.

    Raises
    ------
    ValueError
        If it is not a timestamp, or only a date.
    """
    text = stamp.strip()
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{shorten(stamp)} is not a timestamp") from error
    if len(text) <= len("2026-01-02") or ":" not in text:
        raise ValueError(f"{shorten(stamp)} is not a timestamp")
    check_day(parsed.date())
    return parsed


def parse_offset(text: str) -> int | None:
    """Seconds ahead of UTC of ``UTC+0530``, ``+01:00`` or ``UTCZ``; None for an empty text.

    Raises
    ------
    ValueError
        If it is not an offset.
    """
    stripped = text.strip()
    if not stripped:
        return None
    if stripped in _NO_OFFSET:
        return 0
    match = _OFFSET.fullmatch(stripped)
    seconds = 0 if match is None else int(match[2]) * _HOUR_SECONDS + int(match[3] or 0) * 60
    if match is None or seconds > _MAX_OFFSET:
        raise ValueError(f"{shorten(text)} is not an offset from UTC")
    return -seconds if match[1] == "-" else seconds
