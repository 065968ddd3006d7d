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
    judged : bool
        Whether there was something to judge. If not, the check passes.
    """

    name: str
    passed: bool
    message: str
    values: dict[str, int | float] = field(default_factory=dict)
    judged: bool = True

    @property
    def state(self) -> str:
        """The result in words: "passed", "failed" or "not judged"."""
        if not self.judged:
            return "not judged"
        return "passed" if self.passed else "failed"
