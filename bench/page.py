"""The page docs/benchmarks.md: a section per part, with its tables, plots, machine and command."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from rich.table import Table

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

`make bench` prints these tables and writes this page; `make bench PART=name` does so for one
section. All rows of a table are measured in one run on the same machine. The result is the ratio to
the first row, which depends less on the machine than the seconds do.
"""
_COLOUR = "#2b7bba"
# From this ratio of the longest bar to the shortest on, the axis is logarithmic.
_LOG_FROM = 30


def write_section(
    part: str, summary: str, tables: Sequence["Table"], machine: str, page: Path = PAGE
) -> None:
    """Write the section of `part` into `page`, replacing the old one, and its plots next to it.

    Parameters
    ----------
    part : str
    summary : str
        What is measured, in one sentence.
    tables : sequence of Table
        The printed tables.
    machine : str
    page : Path
    """
    lines = [
        summary,
        "",
        f"`make bench PART={part}`, {datetime.now(UTC):%Y-%m-%d}, {machine}.",
    ]
    plots = page.with_suffix("")
    for number, table in enumerate(tables):
        lines += ["", f"**{table.title}**", "", *_markdown(table)]
        ratios = list(_ratios(table))
        if ratios:
            plot = plots / f"{part}-{number}.svg"
            plot.parent.mkdir(parents=True, exist_ok=True)
            _draw(str(table.title), _cells(table)[0], ratios, plot)
            lines += ["", f"![Ratios of {table.title}]({plot.relative_to(page.parent)})"]
    sections = _sections(page)
    sections[part] = "\n".join(lines)
    page.write_text(
        _HEAD + "".join(f"\n## {name}\n\n{sections[name]}\n" for name in sorted(sections))
    )


def _sections(page: Path) -> dict[str, str]:
    if not page.exists():
        return {}
    _, *parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def _headers(table: "Table") -> list[str]:
    return [str(column.header) for column in table.columns]


def _cells(table: "Table") -> list[list[str]]:
    return [[str(cell) for cell in column.cells] for column in table.columns]


def _markdown(table: "Table") -> Iterator[str]:
    headers, columns = _headers(table), _cells(table)
    yield f"| {' | '.join(headers)} |"
    yield f"|---{'|--:' * (len(headers) - 1)}|"
    for row in zip(*columns, strict=True):
        yield f"| {' | '.join(row)} |"


def _ratios(table: "Table") -> Iterator[tuple[str, list[float]]]:
    """The columns of ratios; a column called "ratio" is named after the column before it."""
    previous = ""
    for header, cells in list(zip(_headers(table), _cells(table), strict=True))[1:]:
        if header == "ratio" or "/" in header or header.endswith(" ratio"):
            numbers = [float(cell.replace(",", "")) if _is_number(cell) else 0.0 for cell in cells]
            if header != "rows/s" and any(numbers):
                yield (f"{previous}, ratio" if header == "ratio" else header), numbers
        previous = header


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[\d,]*\.?\d+", cell) is not None


def _draw(
    title: str, names: Sequence[str], ratios: Sequence[tuple[str, list[float]]], path: Path
) -> None:
    # Keep text as text, and ids equal in every run.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem, "font.size": 9}):
        figure = Figure(figsize=(4.2 * len(ratios) + 1.6, 0.34 * len(names) + 1), layout="tight")
        for axes, (header, numbers) in zip(
            figure.subplots(1, len(ratios), sharey=True, squeeze=False)[0], ratios, strict=True
        ):
            axes.barh(names, numbers, color=_COLOUR)
            positive = [number for number in numbers if number > 0]
            if max(positive) > _LOG_FROM * min(positive):
                axes.set_xscale("log")
            axes.axvline(1, color="grey", linewidth=0.8)
            axes.set_xlabel(header)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(left=False)
        axes.invert_yaxis()
        figure.suptitle(title, fontsize=10)
        figure.savefig(path, metadata={"Date": None})
