"""What reports and answers are made from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fitness_assets.answers.findings import Findings
from fitness_assets.answers.records import Records
from fitness_assets.models.reports import ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage.models import ModelStore
from fitness_assets.storage.notes import Note


@dataclass(frozen=True)
class Home:
    """What questions are answered from.

    Attributes
    ----------
    records : Records
    findings : callable
        Gives the findings about a user up to a month, or the newest.
    checks : callable
        Gives the results of the data checks of a month and data version; None if they are missing.
    models : mapping of str to ModelStore
    notes : callable
        Gives the dated notes of a user, latest first.
    """

    records: Records
    findings: Callable[[str, str | None], Findings]
    checks: Callable[[str, str], list[CheckResult] | None]
    models: Mapping[str, ModelStore[ModelReport]]
    notes: Callable[[str], list[Note]]
