"""The release targets, found in `fitness_assets.release.targets`, and which of them to use."""

import pkgutil
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from fitness_assets.errors import ReleaseError
from fitness_assets.release import targets
from fitness_assets.release.target import Origin, Target, TargetModule
from fitness_assets.release.targets import folder
from fitness_assets.storage.object_store import is_object_url

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_link(source: str) -> bool:
    """Whether `source` is a link, and not the path of a folder."""
    return _SCHEME.match(source) is not None


def origin_of(source: str, credentials: Path | None = None) -> Origin:
    """The origin that a release source names.

    Nothing is read yet, and no client library is imported: settings are validated by this.

    Parameters
    ----------
    source : str
        The path of a folder, its URL in an object store, or a link that one of the targets knows.
    credentials : Path, optional
        Of a named reader, for bundles that are not public.

    Raises
    ------
    ReleaseError
        If `source` is a link that no target knows.
    ValueError
        If it is the URL of an object store, but not of a folder in it.
    """
    if not is_link(source) or is_object_url(source):
        return folder.origin(source)
    for module in _other_modules():
        if origin := module.origin(source, credentials):
            return origin
    known = " or ".join([folder.SOURCE, *(module.SOURCE for module in _other_modules())])
    raise ReleaseError(f"{source} is not {known}")


def upload_target(settings: Any) -> Target:
    """The configured upload target: the local folder unless the settings configure another.

    Parameters
    ----------
    settings : Settings
        Each target module declares the settings that it reads.
    """
    for module in _other_modules():
        if target := module.upload_target(settings):
            return target
    return folder.upload_target(settings)


def people_target(settings: Any) -> Target:
    """The target of the bundles with rows of people, of the same kind as `upload_target`.

    Parameters
    ----------
    settings : Settings
    """
    for module in _other_modules():
        if target := module.people_target(settings):
            return target
    return folder.people_target(settings)


@cache
def _other_modules() -> list[TargetModule]:
    """All target modules but that of the local folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(targets.__path__))
    modules = [import_module(f"{targets.__name__}.{name}") for name in names]
    return [cast("TargetModule", module) for module in modules if module is not folder]
