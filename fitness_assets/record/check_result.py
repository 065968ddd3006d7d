"""The result of one check, for data checks and for release gates."""

from msgspec import Struct, field


class CheckResult(Struct, frozen=True):
    """The result of one check.

    Attributes
    ----------
    name : str
        Name of the check.
    passed : bool
    message : str
        One line that says what the check found.
    values : dict
        The numbers behind the result, by name.
    """

    name: str
    passed: bool
    message: str
    values: dict[str, int | float] = field(default_factory=dict)
