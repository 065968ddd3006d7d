"""Names, dates and text of releases as text and as Markdown."""

import re
from datetime import date

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
