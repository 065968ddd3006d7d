"""What a check found, whichever stage it judges."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes
    ----------
    check : str
        Its name.
    passed : bool
    told : str
        One line for a person.
    figures : dict
        Numbers behind it, by name.
    """

    check: str
    passed: bool
    told: str
    figures: dict[str, int | float] = field(default_factory=dict)
