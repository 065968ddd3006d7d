"""The table at the end of an import: what was used of each file, and what was left out."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fitness_assets.sources.exports.report import FileReport

#: Width of a table that is not printed to a terminal, in characters.
_WIDTH = 160
# Width of the names of files.
_FILE_WIDTH = 56


def print_files(reports: Iterable[FileReport]) -> None:
    """Print a row for each file, or for files whose names differ only in numbers."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file", no_wrap=True)
    table.add_column("format", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("columns filled", ratio=2)
    table.add_column("left out", ratio=2)
    for each in reports:
        count = f" ({each.files:,} files)" if each.files > 1 else ""
        left = each.reason
        if each.left_out > 1 and each.records:
            left = f"{each.left_out:,} entries, the first: {each.reason}"
        table.add_row(
            Text(_shortened(each.file, _FILE_WIDTH - len(count)) + count),
            each.format or "-",
            f"{each.records:,}",
            ", ".join(each.columns) or "-",
            Text(left or "-"),
        )
    if table.row_count:
        Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def _shortened(name: str, width: int) -> str:
    """The last folders of a path and its file name, as far as they fit."""
    parts = name.split("/")
    while len(parts) > 1 and len("/".join(["…", *parts])) > width:
        parts.pop(0)
        name = "/".join(["…", *parts])
    if len(name) > width:
        name = f"{parts[-1][: width // 2 - 1]}…{parts[-1][-width // 2 :]}"
    return name
