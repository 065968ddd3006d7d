"""The table of an import: what was used of each file, and what was left out and why."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from fitness_assets.cli.terminal import cell, say
from fitness_assets.formatting import number
from fitness_assets.sources.exports.report import FileReport
from fitness_assets.text import printable

#: Width of a table that is not printed to a terminal, in characters.
_WIDTH = 160
# From this width on, what was left out has a column; else it is below its file.
_WIDE = 140
# The largest width of the names of files.
_FILE_WIDTH = 56
_INDENT = "    "


def print_files(reports: Iterable[FileReport], width: int | None = None) -> None:
    """Print a row for each file, or for files whose names differ only in numbers.

    Parameters
    ----------
    reports : iterable of FileReport
    width : int, optional
        Width in characters; by default that of the terminal.
    """
    found = list(reports)
    if not found:
        return
    if width is None:
        width = Console().width if sys.stdout.isatty() else _WIDTH
    if width >= _WIDE:
        _print_wide(found, width)
    else:
        for line in _narrow_lines(found, width):
            say(line)


def _print_wide(reports: Sequence[FileReport], width: int) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("file", no_wrap=True)
    table.add_column("format", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("columns filled", ratio=2)
    table.add_column("left out", ratio=2)
    for each in reports:
        table.add_row(
            cell(_file(each, _FILE_WIDTH)),
            cell(each.format or "-"),
            number(each.records),
            cell(", ".join(each.columns) or "-"),
            cell(_left_out(each) or "-"),
        )
    Console(width=width).print(table)


def _narrow_lines(reports: Sequence[FileReport], width: int) -> Iterator[str]:
    """The lines of the table; columns filled and what was left out are below their file."""
    formats = max(6, *(len(each.format) for each in reports))
    records = max(7, *(len(number(each.records)) for each in reports))
    longest = max(4, *(len(_file(each, width)) for each in reports))
    files = min(longest, max(width - formats - records - 4, 4))
    yield f"{'file':<{files}}  {'format':<{formats}}  {'records':>{records}}"
    for each in reports:
        row = f"{_file(each, files):<{files}}  {each.format or '-':<{formats}}"
        yield f"{row}  {number(each.records):>{records}}"
        for title, text in (("fills", ", ".join(each.columns)), ("left out", _left_out(each))):
            if text:
                indent = _INDENT + " " * len(f"{title}: ")
                yield from textwrap.wrap(
                    text,
                    width,
                    initial_indent=f"{_INDENT}{title}: ",
                    subsequent_indent=indent,
                    break_on_hyphens=False,
                )


def _left_out(report: FileReport) -> str:
    """What was left out, how much of it, and why; or how the file was read."""
    if report.left_out > 1 and report.records:
        return f"{number(report.left_out)} entries, the first: {report.reason}"
    return report.reason


def _file(report: FileReport, width: int) -> str:
    """The name, shortened in the middle to `width`, with the number of files."""
    count = f" ({number(report.files)} files)" if report.files > 1 else ""
    name, room = printable(report.file), max(width - len(count), 2)
    if len(name) > room:
        start = (room - 1) // 3
        name = f"{name[:start]}…{name[start + 1 - room :]}"
    return name + count
