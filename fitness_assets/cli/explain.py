"""`fitness import --explain`: how an export would be read."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitness_assets.cli.terminal import say
from fitness_assets.errors import FitnessError, SourceError
from fitness_assets.formatting import number, plural, significant
from fitness_assets.record import workouts
from fitness_assets.record.raw import NUMBERS
from fitness_assets.system_errors import cause_of

if TYPE_CHECKING:
    from fitness_assets.sources.explain import Explanation
    from fitness_assets.sources.exports.options import ImportOptions

# Problems and users that are printed; the others are counted.
_MAX_PROBLEMS, _MAX_USERS = 20, 5
_DIGITS = 6


def explain_path(path: Path, options: "ImportOptions") -> bool:
    """Print how `path` would be read; write a layout to begin with for a table that is not known.

    Returns
    -------
    bool
        Whether it can be read, or a layout was written.

    Raises
    ------
    FitnessError
        If the layout cannot be written, such as where a file of this name exists.
    """
    from fitness_assets.cli.progress import bytes_bar
    from fitness_assets.sources.explain import draft_of, explain_export

    with bytes_bar(path.name) as progress:
        found = explain_export(path, options, progress)
    if not found.error:
        _print(path, options, found)
        return True
    say(f"{path.name}  cannot be imported: {found.error}")
    draft = None
    if options.layout is None:
        # The reason why it cannot be read is printed.
        with suppress(SourceError):
            draft = draft_of(path)
    if draft is None:
        return False
    named = path if path.name not in {"", ".."} else path.resolve()
    target = named.parent / f"{named.stem or 'export'}.layout.toml"
    _write_new(target, draft.text)
    say(f"Wrote {target}, a layout to begin with. Check its lines, and import the file with it:")
    say(f"  fitness import --layout {target} {path}")
    if draft.problem:
        say(f"It has to be completed first: {draft.problem}.")
        return True
    _preview(path, target, options)
    return True


def _preview(path: Path, layout: Path, options: "ImportOptions") -> None:
    """Print how `path` would be read by the layout that was written."""
    from dataclasses import replace

    from fitness_assets.sources.explain import explain_export
    from fitness_assets.sources.exports import layout as layouts

    options = replace(options, layout=layouts.load(layout))
    found = explain_export(path, options)
    if found.error:
        say(f"As it is, the layout does not read the file: {found.error}")
    else:
        say("With the layout as it is:")
        _print(path, options, found)


def _print(path: Path, options: "ImportOptions", found: "Explanation") -> None:
    from fitness_assets.cli.import_table import print_files
    from fitness_assets.sources.explain import UNNAMED
    from fitness_assets.sources.exports.registry import FORMATS

    users = sorted(found.users - {UNNAMED})
    and_workouts = f" and {plural(found.workouts, 'workout')}" if found.workouts else ""
    say(
        f"{path.name}  would give {plural(found.records, 'record')}{and_workouts}, "
        f"{found.first} to {found.last}, of {plural(len(found.users), 'user')}"
    )
    if found.not_worn:
        say(f"On {plural(found.not_worn, 'day')} of them the device was not worn.")
    if users:
        more = f" and {number(len(users) - _MAX_USERS)} more" if len(users) > _MAX_USERS else ""
        say(f"Users: {', '.join(users[:_MAX_USERS])}{more}. They are stored under pseudonyms.")
    if UNNAMED in found.users:
        say("The export does not name its user: import it with --user NAME.")
    zone = f"{options.zone}" if options.zone else "none (--timezone declares it); UTC is used"
    say(f"Time zone: {zone}.")
    for name in dict.fromkeys(each.format for each in found.files if each.format):
        say("")
        say(f"{name}: {FORMATS[name].title}")
        by = "the layout that is given" if options.layout else FORMATS[name].identified_by
        say(f"  recognized by  {by}")
        say(f"  days           {FORMATS[name].dates}")
        say(f"  units          {FORMATS[name].units}")
    say("")
    print_files(found.files)
    say("")
    for title, rows in (("records", found.rows), ("workouts", found.workout_rows)):
        if rows:
            say(f"The first {title}, as they would be stored:")
        for row in rows:
            known = {name: value for name, value in row.items() if value != UNNAMED}
            say(f"  {'; '.join(f'{name} {_text(name, value)}' for name, value in known.items())}")
    if found.problems:
        say("")
        say(f"{plural(len(found.problems), 'problem')}:")
        for file, place, reason in found.problems[:_MAX_PROBLEMS]:
            say(f"  {', '.join(filter(None, (file, place)))}: {reason}")
        if len(found.problems) > _MAX_PROBLEMS:
            say(f"  and {number(len(found.problems) - _MAX_PROBLEMS)} more")
    say("Nothing was imported.")


def _text(name: str, value: Any) -> str:
    """A stored value as text, with its unit."""
    column = NUMBERS.get(name) or workouts.NUMBERS.get(name)
    if column is not None:
        unit = column.unit
        return f"{significant(value, _DIGITS)}{unit and ' '}{unit}"
    return str(value)


def _write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet, for its owner to read: columns may be personal."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise FitnessError(
            f"{path} exists and is not overwritten: import with --layout {path}, or remove it"
        ) from None
    except OSError as error:
        raise FitnessError(f"{path} cannot be written: {cause_of(error)}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
