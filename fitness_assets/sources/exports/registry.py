"""The export formats, discovered in the package `formats`, and which of them a file has."""

import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import formats
from fitness_assets.sources.exports.archive import Member, open_members
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.formats import tidy
from fitness_assets.sources.exports.protocol import Format


def _discover() -> dict[str, Format]:
    """The ``FORMAT`` of each module of `formats`, by name, in ascending order of priority."""
    names = (module.name for module in pkgutil.iter_modules(formats.__path__))
    found: list[Format] = [
        import_module(f"{formats.__name__}.{name}").FORMAT for name in sorted(names)
    ]
    return {each.name: each for each in sorted(found, key=lambda each: each.priority)}


#: The formats by name, in the order in which they are matched.
FORMATS: Mapping[str, Format] = _discover()


def detect_format(path: Path) -> str:
    """The name of the format of `path`; of an archive of several, the one of highest precedence.

    Raises
    ------
    SourceError
        If no format matches.
    """
    with open_members(path, lambda *_: None, lambda _: None) as members:
        groups = group_by_format(members, lambda *_: None)
    for name in FORMATS:
        if name in groups:
            return name
    raise unknown_format(path)


def group_by_format(members: Sequence[Member], quarantine: Quarantine) -> dict[str, list[Member]]:
    """The members of each format, by its name, in the order of their first members; tidy last.

    Members of no format are ignored, since exports hold other files too, unless their name
    matches a format that is present: reading them then reports what is wrong with them.
    """
    groups: dict[str, list[Member]] = {}
    unmatched = []
    for member in members:
        try:
            head = member.head()
        except SourceError as error:
            quarantine(member.name, "", str(error))
            continue
        matching = (known.name for known in FORMATS.values() if known.matches_header(head))
        name = next(matching, None)
        if name is None:
            unmatched.append(member)
        else:
            groups.setdefault(name, []).append(member)
    for member in unmatched:
        for name, group in groups.items():
            if FORMATS[name].matches_name(member.name):
                group.append(member)
                break
    if tidy.FORMAT.name in groups:
        groups[tidy.FORMAT.name] = groups.pop(tidy.FORMAT.name)
    return groups


def unknown_format(path: Path) -> SourceError:
    """The error for a path of no known format, which lists the formats."""
    titles = "; ".join(sorted(each.title for each in FORMATS.values()))
    return SourceError(f"{path} is not in a known format. Known formats: {titles}")
