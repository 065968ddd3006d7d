"""Numbers as text. Views, Dagster's metadata and messages of models use these functions.

A number has a comma between the thousands, and no decimals that are not asked for. A negative one
has a minus sign and not a hyphen. Zero has no sign. A missing number is `NO_DATA`.
"""

import math
from collections.abc import Sequence
from datetime import date

#: The text for a number that is missing (None or NaN).
NO_DATA = "no data"
_MINUS = "\N{MINUS SIGN}"
_MILLION, _BILLION = 1e6, 1e9
_BYTES = ("bytes", "kB", "MB", "GB", "TB")
_STEP = 1_000
_MINUTE = 60.0
#: From this value on, three digits have no decimals.
_HUNDRED, _TEN = 100, 10


def number(value: float | None, decimals: int = 0) -> str:
    """A number such as "1,200" or "no data".

    Parameters
    ----------
    value : float or None
        None and NaN are missing.
    decimals : int
    """
    if value is None or math.isnan(value):
        return NO_DATA
    text = f"{abs(value):,.{decimals}f}"
    return f"{_MINUS}{text}" if value < 0 and not _is_zero(text) else text


def signed(value: float | None, decimals: int = 0) -> str:
    """A difference with a plus or a minus sign, such as "+1,200"; "±0" if it rounds to 0."""
    text = number(value, decimals)
    if text == NO_DATA or text.startswith(_MINUS):
        return text
    return "±0" if _is_zero(text) else f"+{text}"


def change(before: float, after: float, decimals: int = 0) -> str:
    """The signed difference of two numbers as they are shown.

    A reader who subtracts the numbers gets the same, and "±0" only if both look alike.
    """
    return signed(round(after, decimals) - round(before, decimals), decimals)


def significant(value: float | None, digits: int = 3) -> str:
    """A number with that many significant digits, without zeros at the end: "0.012", "1.5".

    Whole digits are never rounded: "1,234".
    """
    if value is None or math.isnan(value):
        return NO_DATA
    whole = math.floor(math.log10(abs(value))) if value else 0
    text = number(value, max(digits - 1 - whole, 0))
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: float | None, decimals: int = 0) -> str:
    """A share of 1 such as "85%". A share that only rounds to 0% or to 100% is "<1%" or ">99%"."""
    if share is None or math.isnan(share):
        return NO_DATA
    text = number(100 * share, decimals)
    least = 10.0**-decimals
    if _is_zero(text) and share > 0:
        return f"<{number(least, decimals)}%"
    if share < 1 and text == number(100, decimals):
        return f">{number(100 - least, decimals)}%"
    return f"{text}%"


def signed_percent(share: float | None, decimals: int = 0) -> str:
    """A change as a share of 1, such as "+6%". One that is rounded to 0 has a decimal more."""
    text = signed(None if share is None else 100 * share, decimals)
    if share is not None and _is_zero(text) and text != NO_DATA:
        text = signed(100 * share, decimals + 1)
    return text if text == NO_DATA else f"{text}%"


def plural(count: float, one: str, several: str | None = None) -> str:
    """A count with its noun: "1 day", "1,200 days".

    Parameters
    ----------
    count : float
    one : str
        The noun for one.
    several : str, optional
        The noun for any other count; by default `one` with an "s".
    """
    return f"{number(count)} {one if count == 1 else several or f'{one}s'}"


def days_text(count: int) -> str:
    """A number of days: "1 day", "1,200 days"."""
    return plural(count, "day")


def large(value: float) -> str:
    """A count with the word for its magnitude: "61,234", "4.2 million", "1.3 billion"."""
    for word, scale in (("billion", _BILLION), ("million", _MILLION)):
        # 999,999,999 is rounded to "1.0 billion", and not to "1,000.0 million".
        if abs(value) >= scale * 0.9999999:
            return f"{number(value / scale, 1)} {word}"
    return number(value)


def size(count_bytes: float) -> str:
    """A number of bytes with its unit and three digits: "24.6 kB", "1 MB", "1 byte"."""
    if count_bytes < _STEP:
        return plural(round(count_bytes), "byte")
    value = float(count_bytes)
    for unit in _BYTES:
        if value < _STEP and float(_three_digits(value).replace(",", "")) < _STEP:
            return f"{_three_digits(value)} {unit}"
        value /= _STEP
    return f"{number(value * _STEP)} {_BYTES[-1]}"


def seconds(value: float | None) -> str:
    """A duration such as "3 ms", "1.2 s" or "2 min 5 s"."""
    if value is None or math.isnan(value):
        return NO_DATA
    if value < 1:
        return "0 s" if value == 0 else f"{_three_digits(value * _STEP)} ms"
    if value < _MINUTE:
        return f"{_three_digits(value)} s"
    whole, rest = divmod(round(value), int(_MINUTE))
    return f"{number(whole)} min {rest} s" if rest else f"{number(whole)} min"


def minutes(value: float | None) -> str:
    """A duration in minutes such as "45 min", "1 h" or "11 h 52 min"."""
    if value is None or math.isnan(value):
        return NO_DATA
    hours, rest = divmod(round(abs(value)), int(_MINUTE))
    parts = [f"{number(hours)} h"] if hours else []
    parts += [f"{rest} min"] if rest or not hours else []
    sign = _MINUS if value < 0 and (hours or rest) else ""
    return sign + " ".join(parts)


def time_of_day(value: float) -> str:
    """A time of day such as "23:05", from minutes after midnight; negative ones are before it."""
    hour, minute = divmod(round(value) % (24 * int(_MINUTE)), int(_MINUTE))
    return f"{hour:02d}:{minute:02d}"


def times(value: float) -> str:
    """A factor such as "61 times" or "1.4 times"."""
    return f"{_three_digits(value) if value < _TEN else number(value)} times"


def joined(words: Sequence[str], last: str = "and") -> str:
    """A list within a sentence: "steps, sleep and energy"."""
    if len(words) < 2:  # noqa: PLR2004 - nothing to join
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def date_text(day: date) -> str:
    """A date: "3 May 2022"."""
    return f"{day:%-d %b %Y}"


def _three_digits(value: float) -> str:
    """A positive number with three digits, without zeros at the end: "24.6", "1", "0.5"."""
    decimals = 0 if value >= _HUNDRED - 0.05 else 1 if value >= _TEN - 0.005 else 2
    text = number(value, decimals)
    return text.rstrip("0").rstrip(".") if decimals else text


def _is_zero(text: str) -> bool:
    return not any(digit in text for digit in "123456789")
