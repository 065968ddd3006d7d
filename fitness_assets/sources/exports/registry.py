"""The export formats, discovered in the package `formats`, and which of them a file has."""

import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import formats, sqlite
from fitness_assets.sources.exports.archive import Member, open_members
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.formats import tidy
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.unknown_files import describe


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
        groups, unmatched = group_by_format(members, lambda *_: None)
    for name in FORMATS:
        if name in groups:
            return name
    raise SourceError(unknown_format(path, unmatched))


def group_by_format(
    members: Sequence[Member], quarantine: Quarantine
) -> tuple[dict[str, list[Member]], dict[str, str]]:
    """The members of each format, and the others.

    A member whose content matches no format belongs to one of those that are present if its name
    matches it: reading it then reports what is wrong with it.

    Returns
    -------
    dict
        By name of the format, its members, in the order of the first members; tidy last.
    dict
        By name of the other members, why no format reads them.
    """
    groups: dict[str, list[Member]] = {}
    unmatched: list[tuple[Member, str]] = []
    for member in members:
        try:
            head = sqlite.head_of(member)
        except SourceError as error:
            quarantine(member.name, "", str(error))
            continue
        name = _matching(member.name, head)
        if name is None:
            unmatched.append((member, describe(member.name, head)))
        else:
            groups.setdefault(name, []).append(member)
    unknown = {}
    for member, reason in unmatched:
        named = (group for name, group in groups.items() if FORMATS[name].matches_name(member.name))
        group = next(named, None)
        if group is None or not member.size:
            unknown[member.name] = reason
        else:
            group.append(member)
    if tidy.FORMAT.name in groups:
        groups[tidy.FORMAT.name] = groups.pop(tidy.FORMAT.name)
    return groups, unknown


def _matching(file: str, head: bytes) -> str | None:
    """The name of the first format of a file, by its first bytes, or together with its name."""
    for known in FORMATS.values():
        if known.matches_header(head) or known.matches_file(file, head):
            return known.name
    return None


def unknown_format(path: Path, reasons: Mapping[str, str]) -> str:
    """Why `path` is in no known format: by file, why no format reads it; and the formats."""
    titles = "; ".join(sorted(each.title for each in FORMATS.values()))
    if not reasons:
        return f"{path} is empty"
    name, reason = next(iter(reasons.items()))
    if len(reasons) == 1 and name == path.name:
        about = reason
    else:
        more = f" and {len(reasons) - 1:,} more files" if len(reasons) > 1 else ""
        about = f"{name}: {reason}{more}"
    return f"{path} is not in a known format: {about}. Known formats: {titles}"
