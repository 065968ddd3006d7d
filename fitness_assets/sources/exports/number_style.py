"""The decimal sign of the numbers in a file, decided from all of its cells.

``12.345`` is twelve thousand steps where a comma is the decimal sign, and twelve steps and a bit
where a point is. One cell does not say which; the cells of a file together mostly do:

- ``7,25``, ``0,900``, ``1234,567`` and ``1.234,5`` have only one reading;
- a column of whole numbers, such as steps, whose only separators precede groups of three digits
  has thousands;
- ``7,125`` km in a day is not seven thousand: a reading out of the column's range is not meant.

A file in which cells contradict each other is refused. Without any such cell, a point is the
decimal sign and a comma separates thousands.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record import workouts
from fitness_assets.record.raw import NUMBERS
from fitness_assets.sources.exports.parsing import without_group_spaces
from fitness_assets.sources.exports.report import column_of

_NUMBER = re.compile(r"[+-]?([\d.,]*\d[\d.,]*)(?:[eE][+-]?\d+)?")
_COMMA_DECIMAL = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*)(,\d*)?")
_GROUP_DIGITS = 3
_OTHER = {".": ",", ",": "."}


@dataclass(frozen=True)
class NumberColumn:
    """What is known of the numbers in a column.

    Attributes
    ----------
    is_count : bool
        Whether they are whole numbers.
    maximum : float
        Highest plausible value, in the unit of the file.
    """

    is_count: bool
    maximum: float


def number_column(metric: str, factor: float = 1.0) -> NumberColumn | None:
    """The numbers of a metric, of which `factor` converts the file's unit; None for other values.

    Parameters
    ----------
    metric : str
        A column of the canonical record or of a workout, or a metric of the aggregation.
    factor : float
    """
    spec = NUMBERS.get(column_of(metric)) or workouts.NUMBERS.get(metric)
    if spec is None or spec.range is None:
        return None
    is_count = pa.types.is_integer(spec.type) and factor == 1.0
    return NumberColumn(is_count, spec.range[1] / factor)


@dataclass
class _Seen:
    """The cells of one column that bear on the sign: the first of each kind, with its place."""

    certain: dict[str, str] = field(default_factory=dict)
    plausible: dict[str, str] = field(default_factory=dict)
    ambiguous: dict[str, str] = field(default_factory=dict)


class DecimalDetector:
    """Collects the cells of the number columns of one file.

    Parameters
    ----------
    columns : mapping
        What is known of each number column, by its name.
    """

    def __init__(self, columns: Mapping[str, NumberColumn]) -> None:
        self.columns = columns
        self._seen = {name: _Seen() for name in columns}

    def add(self, place: str, column: str, text: str) -> None:
        """Add one cell. Text that is not a number is ignored."""
        if text.isdigit():
            return
        stripped = without_group_spaces(text.strip())
        match = _NUMBER.fullmatch(stripped)
        if match is None:
            return
        seen = self._seen[column]
        cell = f"{text.strip()!r} ({place})"
        sign, separator, thousands = _read(match[1])
        if sign:
            seen.certain.setdefault(sign, cell)
        elif (
            separator
            and not self.columns[column].is_count
            and (thousands > self.columns[column].maximum)
        ):
            seen.plausible.setdefault(separator, cell)
        elif separator:
            seen.ambiguous.setdefault(separator, cell)

    def sign(self, name: str) -> str:
        """The decimal sign of the file `name`.

        Raises
        ------
        SourceError
            If cells contradict each other.
        """
        found: dict[str, str] = {}
        for column, seen in self._seen.items():
            evidence = seen.certain or seen.plausible
            if not evidence and self.columns[column].is_count:
                evidence = {_OTHER[separator]: cell for separator, cell in seen.ambiguous.items()}
            found = evidence | found
        if len(found) > 1:
            raise SourceError(
                f"{name} mixes decimal signs: {found['.']} and {found[',']}; write its numbers in "
                "one style, or declare `decimal` in a layout"
            )
        return next(iter(found), ".")


def to_point(text: str, sign: str) -> str:
    """A number written with the decimal sign `sign`, as `parsing.parse_amount` reads it.

    Raises
    ------
    ValueError
        If it is not a number in this style.
    """
    stripped = without_group_spaces(text.strip())
    if sign == "." or stripped.isdigit():
        return stripped
    if not _NUMBER.fullmatch(stripped):
        return stripped
    if not _COMMA_DECIMAL.fullmatch(stripped):
        raise ValueError(f"{text.strip()!r} is not an amount with a decimal comma")
    return stripped.replace(".", "").replace(",", ".")


def _read(digits: str) -> tuple[str, str, float]:
    """The decimal sign that `digits` prove; else the separator, and the value if it is thousands.

    All are empty for digits without a separator, or with malformed groups.
    """
    separators = [letter for letter in digits if letter in _OTHER]
    if not separators:
        return "", "", 0.0
    last = separators[-1]
    whole, _, fraction = digits.rpartition(last)
    if len(set(separators)) > 1:
        return (last if separators.count(last) == 1 else ""), "", 0.0
    if len(separators) > 1:
        groups = digits.split(last)
        are_thousands = 0 < len(groups[0]) <= _GROUP_DIGITS and all(
            len(group) == _GROUP_DIGITS for group in groups[1:]
        )
        return (_OTHER[last] if are_thousands else ""), "", 0.0
    if len(fraction) != _GROUP_DIGITS or not 0 < len(whole) <= _GROUP_DIGITS or whole[0] == "0":
        return last, "", 0.0
    return "", last, float(whole + fraction)
