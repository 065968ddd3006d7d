"""Messages of FIT files, decoded by fitdecode.

Damage ends a file: what was decoded before it is used, and the damage is reported.
"""

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.archive import Member
from fitness_assets.text import shorten

#: Seconds from 1970 to the epoch of FIT, 1989-12-31.
EPOCH = 631_065_600
#: A smaller timestamp counts from when the device was switched on, and is no date.
FIRST_DATE = 0x10000000
#: Messages of one file: a day of readings by the second is below it.
MAX_MESSAGES = 2_000_000
MAGIC, MAGIC_AT = b".FIT", 8

# What fitdecode raises on damaged files, besides its own errors.
_DAMAGE = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, struct.error)


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    number : int
        Its place in the file, from 1.
    name : str
    raw : mapping
        Whole numbers of the file by field, without scale; fields without a value are absent. A
        field whose meaning depends on others has its general name, such as ``cycles``.
    several : mapping
        The numbers of the fields that have several.
    names : mapping
        Names of enumerated values, such as ``walking``, by field.
    """

    number: int
    name: str
    raw: Mapping[str, int]
    several: Mapping[str, tuple[int, ...]]
    names: Mapping[str, str]


def messages(member: Member, names: Collection[str]) -> Iterator[Message]:
    """The messages of a file that have one of these names.

    Raises
    ------
    SourceError
        After the last message that can be decoded, if the file is damaged or over the limit.
    """
    # Importing it takes a tenth of a second, which exports without FIT files save.
    import fitdecode

    number = 0
    try:
        with (
            member.open() as file,
            fitdecode.FitReader(
                file,
                processor=None,
                check_crc=fitdecode.CrcCheck.RAISE,
                error_handling=fitdecode.ErrorHandling.IGNORE,
            ) as frames,
        ):
            for frame in frames:
                if isinstance(frame, fitdecode.FitDataMessage):
                    number += 1
                    if number > MAX_MESSAGES:
                        raise SourceError(f"{member.name} has more than {MAX_MESSAGES:,} messages")
                    if frame.name in names:
                        yield _message(number, frame)
    except (fitdecode.FitError, *_DAMAGE) as error:
        raise SourceError(
            f"{member.name} is cut off or damaged after {number:,} messages: {shorten(error)}"
        ) from error


def _message(number: int, frame: Any) -> Message:
    raw: dict[str, int] = {}
    several: dict[str, tuple[int, ...]] = {}
    names: dict[str, str] = {}
    for field in frame.fields:
        value = field.raw_value
        name = field.name if field.parent_field is None else field.parent_field.name
        # A damaged definition gives text, bytes or fractions.
        if isinstance(value, int):
            raw.setdefault(name, value)
            if isinstance(field.value, str):
                names.setdefault(name, field.value)
        elif isinstance(value, tuple) and all(isinstance(each, int) for each in value):
            several.setdefault(name, value)
    return Message(number, frame.name, raw, several, names)
