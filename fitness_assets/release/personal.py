"""The personal models of a month, which are published as rows of people are, and nowhere else.

A personal model is trained on the days of fewer than ten users, and shows how they live. It is in
the private bundle, or in the release itself if rows of people are public.
"""

import msgspec

from fitness_assets.errors import ReleaseError
from fitness_assets.models.reports import ModelReport
from fitness_assets.months import is_month
from fitness_assets.storage import documents

#: File name of the reports on the personal models.
PERSONAL = "personal.json"
_PREFIX, _SUFFIX = "personal_", ".skops"
#: Why a release has no report on the personal model of its month.
WITHHELD = "the model of this month is personal; it is kept with the rows of people"


class PersonalReport(msgspec.Struct, frozen=True, kw_only=True):
    """The reports on the personal models of a month, by name of the model."""

    models: dict[str, ModelReport]


def model_file(name: str) -> str:
    """File name of the personal model `name`."""
    return f"{_PREFIX}{name}{_SUFFIX}"


def is_personal(file: str) -> bool:
    """Whether a file of a release is of a personal model."""
    return file == PERSONAL or (file.startswith(_PREFIX) and file.endswith(_SUFFIX))


def withheld(report: ModelReport) -> ModelReport:
    """The report on a personal model for everyone: only that there is one."""
    return ModelReport(
        window=report.window,
        learned_from=report.learned_from,
        released=False,
        reason=WITHHELD,
        gates=[],
        real_people=report.real_people,
        scope=report.scope,
    )


def read(content: bytes, month: str) -> PersonalReport:
    """The reports on the personal models of `month`.

    Raises
    ------
    StorageError
        If a field is missing or of another type, or `content` is too large.
    ReleaseError
        If it names a month that is none.
    """
    name = f"the {PERSONAL} of {month}"
    report = documents.decode(content, PersonalReport, name)
    for each in report.models.values():
        named = [*each.window, *each.learned_from]
        if each.metrics is not None and (found := getattr(each.metrics, "personal", None)):
            named += found.months
        if wrong := [text for text in named if not is_month(text)]:
            raise ReleaseError(f"{name} names {wrong[0]!r} as a month")
    return report
