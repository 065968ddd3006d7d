"""What a check of `fitness doctor` found."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis.

    Attributes
    ----------
    level : {"ok", "warning", "fault"}
        A fault prevents work, or loses it. A warning will, or is of no consequence for now.
    text : str
        What was found.
    remedy : str
        What to do about it; empty if nothing needs to be done.
    """

    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    """What needs nothing to be done."""
    return Finding("ok", text)


def warning(text: str, remedy: str) -> Finding:
    """What should be looked at."""
    return Finding("warning", text, remedy)


def fault(text: str, remedy: str) -> Finding:
    """What prevents work, or loses it."""
    return Finding("fault", text, remedy)
