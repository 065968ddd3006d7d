"""`fitness imports`."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fitness_assets.formatting import number
from fitness_assets.settings import Settings

if TYPE_CHECKING:
    from fitness_assets.sources.imports import Imports

#: Width of a table that is not printed to a terminal, in characters.
_WIDTH = 160


@click.command()
@click.argument("user", required=False)
@click.option("--month", metavar="YYYY-MM", help="Only this month.")
def imports(user: str | None, month: str | None) -> None:
    """List the imports, or with USER the imports that each day of a user is from.

    USER is the imported name, or the pseudonym. Of each day, every import is listed whose values
    are used, with the columns that are from it.
    """
    settings = Settings.from_env()
    from fitness_assets.sources.configured import configured_imports, configured_pseudonyms

    stored = configured_imports(settings)
    if user is None:
        _print_imports(stored)
        return
    known = {pseudonym for info in stored.all() for pseudonym in info.users}
    possible = configured_pseudonyms(settings).possible_ids(user)
    found = next((each for each in possible if each in known), None)
    if found is None:
        raise click.UsageError(f"no import has records of a user called {user!r}")
    _print_origins(stored, found, [month] if month else stored.months())


def _print_imports(stored: "Imports") -> None:
    from fitness_assets.sources.import_manifest import READER_VERSION

    _print_table(
        ["import", "formats", "delivered", "user-days", "workouts", "users", "months", "note"],
        [
            [
                info.name,
                ", ".join(info.sources),
                f"{info.delivered:%Y-%m-%d %H:%M}",
                f"{number(sum(info.months.values()))}",
                number(sum(info.workouts.values())),
                number(len(info.users)),
                f"{min(info.months)} to {max(info.months)}" if info.months else "-",
                "" if info.reader == READER_VERSION else "of an older version: import it again",
            ]
            for info in stored.all()
        ],
    )


def _print_origins(stored: "Imports", user: str, months: list[str]) -> None:
    names = {info.digest: info.name for info in stored.all()}
    _print_table(
        ["day", "import", "columns"],
        [
            [f"{origins.day}", names[digest], ", ".join(columns)]
            for month in months
            for origins in stored.origins(user, month)
            for digest, columns in origins.columns.items()
        ],
    )


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
