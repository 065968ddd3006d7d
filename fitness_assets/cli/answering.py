"""The home that reports and answers are made from."""

from functools import partial

from fitness_assets.answers.findings import read_findings
from fitness_assets.answers.home import Home
from fitness_assets.answers.records import Records
from fitness_assets.months import shift
from fitness_assets.record.check_result import CheckResult
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_names, configured_notes
from fitness_assets.storage.check_results import Judged
from fitness_assets.workspace import Workspace


def open_home(settings: Settings, only: str | None = None, *, named: bool = False) -> Home:
    """The home of `settings`, for reading.

    Parameters
    ----------
    settings : Settings
    only : str, optional
        Name or id of the one user that may be shown.
    named : bool
        Whether messages may show the names under which users were imported.

    Raises
    ------
    QuestionError
        If there is no user called `only`.
    """
    workspace = Workspace.of(settings)
    records = Records(
        daily=workspace.daily,
        workouts=workspace.workouts,
        possible_ids=workspace.pseudonyms.possible_ids,
        is_forgotten=workspace.pseudonyms.forgotten(),
        names=configured_names(settings).all() if named else {},
    )
    if only is not None:
        records = records.of(only)

    def checks(month: str, version: str) -> list[CheckResult] | None:
        previous = workspace.daily.manifest(shift(month, -1))
        judged = Judged(
            data_version=version, compared_with=previous.data_version if previous else None
        )
        return workspace.check_results.load(month, judged)

    return Home(
        records=records,
        findings=partial(read_findings, workspace.history),
        checks=checks,
        models=workspace.models,
        notes=configured_notes(settings).of,
    )
