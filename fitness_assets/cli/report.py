"""`fitness report`."""

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fitness_assets.cli.terminal import say
from fitness_assets.errors import QuestionError
from fitness_assets.months import is_month
from fitness_assets.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from fitness_assets.answers.pages.document import Document
    from fitness_assets.answers.periods import Period
    from fitness_assets.answers.records import Records

#: The module of each format, by suffix of the file.
_FORMATS = {".md": "markdown", ".html": "html", ".pdf": "pdf"}


@click.command()
@click.option("--user", help="Name or pseudonym; not needed if the home has one user.")
@click.option("--month", help="YYYY-MM.  [default: the newest month with a record of the user]")
@click.option("--year", help="YYYY, instead of a month.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    required=True,
    help="The .md, .html or .pdf to write; an existing file is replaced.",
)
@click.option(
    "--units", type=click.Choice(["metric", "imperial"]), default="metric", show_default=True
)
def report(user: str | None, month: str | None, year: str | None, to: Path, units: str) -> None:
    """Write a page about a user's month or year: changes, bests, sleep, load and gaps, with plots.

    Each number names the months and data versions that it comes from. The same months and notes
    give the same bytes. Nothing of the home is changed. The optional asset compression_report,
    which `fitness backfill --report` materializes, is something else.
    """
    settings = Settings.from_env()
    from fitness_assets.answers.material import read_material
    from fitness_assets.answers.report import Report
    from fitness_assets.cli.answering import open_home
    from fitness_assets.cli.output_file import replacing
    from fitness_assets.record.units import IMPERIAL, METRIC, Units
    from fitness_assets.sources.configured import configured_notes

    render = _renderer(to)
    if month is not None and year is not None:
        raise click.UsageError("--month and --year exclude each other")
    home = open_home(settings, named=True)
    with replacing(to) as file:
        found = home.records.find_user(user)
        period = _period(home.records, found, month, year)
        made = Report(
            material=read_material(home, found, period),
            name=_name(found, user or home.records.names.get(found, found)),
            notes=configured_notes(settings).of(found),
            units=Units(IMPERIAL if units == "imperial" else METRIC),
            command=_command(user, period, to.suffix, units),
        )
        file.write(render(made.document()))
    say(f"{to}: {found}, {period}")


def _renderer(to: Path) -> "Callable[[Document], bytes]":
    name = _FORMATS.get(to.suffix.lower())
    if name is None:
        raise QuestionError(f"--to {to} is none of {', '.join(_FORMATS)}")
    render: Callable[[Document], bytes] = import_module(
        f"fitness_assets.answers.pages.{name}"
    ).render
    return render


def _period(records: "Records", user: str, month: str | None, year: str | None) -> "Period":
    from fitness_assets.answers.periods import parse_period

    if month is None and year is None:
        return records.newest_month(user)
    if year is not None:
        if not re.fullmatch(r"\d{4}", year, re.ASCII):
            raise QuestionError(f"--year {year} is not a year; write it as YYYY")
        return parse_period(year)
    if not is_month(month or ""):
        raise QuestionError(f"--month {month} is not a month; write it as YYYY-MM")
    return parse_period(month or "")


def _name(user: str, called: str) -> str:
    return user if called == user else f"{called} ({user})"


def _command(user: str | None, period: "Period", suffix: str, units: str) -> str:
    """The command that makes the same page, wherever it is written."""
    whole = str(period)
    words = ["fitness", "report"]
    words += ["--user", user] if user is not None else []
    words += ["--month" if "-" in whole else "--year", whole, "--units", units]
    return f"{shlex.join(words)} --to FILE{suffix.lower()}"
