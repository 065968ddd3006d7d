"""What the commands print: lines and cells of tables, safe for a terminal.

Names of files, reasons and ids come from exports and releases. They may hold control characters
that a terminal obeys, and markup of `rich`.
"""

import click
from rich.text import Text

from fitness_assets.text import printable


def say(line: str, *, err: bool = False) -> None:
    """Print one line, on standard error if `err`."""
    click.echo(printable(line), err=err)


def cell(text: str) -> Text:
    """A cell of a table, in which nothing is markup."""
    return Text(printable(text))
