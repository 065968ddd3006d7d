"""Checks of the settings, and of what they name: the source, and where releases are uploaded."""

import difflib
from collections.abc import Iterator

from fitness_assets.declarations import declarations
from fitness_assets.diagnosis.finding import Finding, fault, ok, warning
from fitness_assets.errors import FitnessError, SourceError, UnavailableError
from fitness_assets.settings import SERVE_VARIABLE, Settings
from fitness_assets.sources.configured import configured_pseudonyms
from fitness_assets.storage.locations import ObjectPath, folder_names
from fitness_assets.workspace import Workspace

#: Read by other programs of a deployment, such as the proxy, and set by `fitness serve`.
_OTHERS = {"FITNESS_USER", "FITNESS_PASSWORD_HASH", SERVE_VARIABLE}


def check_variables(settings: Settings) -> Iterator[Finding]:
    """Whether every variable that is named like a setting is one: others have no effect."""
    known = {each.variable for each in declarations(Settings).values()}
    unknown = sorted(
        name
        for name in settings.environment()
        if name.startswith("FITNESS_") and name not in known | _OTHERS
    )
    for name in unknown:
        close = difflib.get_close_matches(name, known, 1, 0.8)
        remedy = f"rename it to {close[0]}, or unset it" if close else "unset it"
        yield warning(
            f"{name} is set, and is no setting",
            f"{remedy}; docs/reference/settings.md lists all",
        )
    if not unknown:
        yield ok("every variable FITNESS_… that is set is a setting")


def check_source(settings: Settings) -> Iterator[Finding]:
    """Whether the source can be read."""
    try:
        Workspace.of(settings).source.check()
    except SourceError as error:
        text, _, advice = str(error).partition("; ")
        # A home begins without imports.
        level = warning if settings.source == "exports" else fault
        yield level(text, advice or "correct FITNESS_SOURCE_PATH, or set another FITNESS_SOURCE")
    else:
        yield ok(f"FITNESS_SOURCE={settings.source} can be read")


def check_people(settings: Settings) -> Iterator[Finding]:
    """Whether the key of the pseudonyms is there, and the lists of users can be read."""
    try:
        configured_pseudonyms(settings).check()
    except FitnessError as error:
        text, _, advice = str(error).partition("; ")
        yield fault(text, advice or "restore it from a backup")
    else:
        yield ok("the key of the pseudonyms and the lists of users can be read")


def check_upload(settings: Settings) -> Iterator[Finding]:
    """Whether an object store to which releases are uploaded can be read."""
    folder = settings.upload_folder
    if settings.drive_folder is not None or not isinstance(folder, ObjectPath):
        return
    try:
        folder_names(folder)
    except UnavailableError as error:
        yield fault(str(error), "check the network, the credentials and FITNESS_UPLOAD_FOLDER")
    else:
        yield ok(f"{folder} can be read")
