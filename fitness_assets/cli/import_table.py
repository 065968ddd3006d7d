"""The table at the end of an import: what was used of each file, and what was left out."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fitness_assets.sources.exports.report import FileReport

#: Width of a table that is not printed to a terminal, in characters.
_WIDTH = 160
_FILE_WIDTH = 48


def print_files(reports: Iterable[FileReport]) -> None:
    """Print a row for each file, or for files whose names differ only in numbers."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file", max_width=_FILE_WIDTH, overflow="fold")
    table.add_column("format", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("columns filled", ratio=2)
    table.add_column("left out", ratio=3)
    for each in reports:
        name = f"{_shortened(each.file)} ({each.files:,} files)" if each.files > 1 else each.file
        left = each.reason
        if each.left_out > 1 and each.records:
            left = f"{each.left_out:,} entries, the first: {each.reason}"
        table.add_row(
            Text(name if each.files > 1 else _shortened(name)),
            each.format or "-",
            f"{each.records:,}",
            ", ".join(each.columns) or "-",
            Text(left or "-"),
        )
    if table.row_count:
        Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def _shortened(name: str) -> str:
    """The end of a long path, which tells files apart."""
    return name if len(name) <= _FILE_WIDTH else f"…{name[-_FILE_WIDTH + 1 :]}"
