"""Names, quantities and text of releases as text and as Markdown."""

import re
from datetime import date

_MILLION, _BILLION = 1e6, 1e9
# An absolute path of at least two parts, up to its last one; not the path of a link.
_FOLDERS = re.compile(r"(?<![\w:/.])(?:/[^\s/'\"]+)*/(?=[^\s/'\"])")


def without_paths(message: str) -> str:
    """`message` with the last part of each absolute path in it: visitors see no folders."""
    return _FOLDERS.sub("", message)


def label(name: str) -> str:
    """A snake-case name as a label: ``active_minutes`` becomes "Active minutes"."""
    return name.replace("_", " ").capitalize()


def so_far(last: date) -> str:
    """The days of a partial month until `last`, such as "November so far: 1" for its first day."""
    days = "1" if last.day == 1 else f"1\N{EN DASH}{last.day}"
    return f"{last:%B} so far: {days}"


def count(value: float) -> str:
    """A count with the unit that suits its magnitude: "61,234", "4.2 million", "1.3 billion"."""
    if value >= _BILLION:
        return f"{value / _BILLION:,.1f} billion"
    if value >= _MILLION:
        return f"{value / _MILLION:,.1f} million"
    return f"{value:,.0f}"


def size(count_bytes: float) -> str:
    """A number of bytes with its unit: "24.6 kB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count_bytes >= scale:
            return f"{count_bytes / scale:,.3g} {unit}"
    return f"{count_bytes:,.0f} bytes"


def signed(value: float, decimals: int = 0) -> str:
    """A difference with a plus or a minus sign, such as "+1,200"; "±0" if it rounds to 0."""
    text = f"{abs(value):,.{decimals}f}"
    if not any(digit in text for digit in "123456789"):
        return "±0"
    return f"+{text}" if value > 0 else f"\N{MINUS SIGN}{text}"


def days_text(number: int) -> str:
    """A number of days: "1 day", "1,200 days"."""
    return "1 day" if number == 1 else f"{number:,} days"


def date_text(day: date) -> str:
    """A date: "3 May 2022"."""
    return f"{day:%-d %b %Y}"
