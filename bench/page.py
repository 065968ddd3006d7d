"""What was measured, kept as a page of tables and plots with the machine and the command."""

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

`make bench` prints these tables and writes this page, `make bench PART=name` one section of it.
What is compared was measured side by side in one run. The ratios are the result: they are to the
first row of a table, and hold on other machines better than the seconds do.
"""
_COLOUR = "#2b7bba"
# From here on bars of a linear axis cannot be told from nothing.
_WIDE = 30


def keep(part: str, about: str, tables: Sequence["Table"], machine: str, page: Path = PAGE) -> None:
    """Write the section of `part` into `page`, in place of what was there, and its plots beside it.

    Parameters
    ----------
    part : str
    about : str
        What is measured, in a sentence.
    tables : sequence of Table
        As they were printed.
    machine : str
    page : Path
    """
    lines = [
        about,
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


def _heads(table: "Table") -> list[str]:
    return [str(column.header) for column in table.columns]


def _cells(table: "Table") -> list[list[str]]:
    return [[str(cell) for cell in column.cells] for column in table.columns]


def _markdown(table: "Table") -> Iterator[str]:
    heads, columns = _heads(table), _cells(table)
    yield f"| {' | '.join(heads)} |"
    yield f"|---{'|--:' * (len(heads) - 1)}|"
    for row in zip(*columns, strict=True):
        yield f"| {' | '.join(row)} |"


def _ratios(table: "Table") -> Iterator[tuple[str, list[float]]]:
    """Each column of ratios, named after what it is the ratio of."""
    before = ""
    for head, cells in list(zip(_heads(table), _cells(table), strict=True))[1:]:
        if head == "ratio" or "/" in head or head.endswith(" ratio"):
            numbers = [float(cell.replace(",", "")) if _number(cell) else 0.0 for cell in cells]
            if head != "rows/s" and any(numbers):
                yield (f"{before}, ratio" if head == "ratio" else head), numbers
        before = head


def _number(cell: str) -> bool:
    return re.fullmatch(r"[\d,]*\.?\d+", cell) is not None


def _draw(
    title: str, names: Sequence[str], ratios: Sequence[tuple[str, list[float]]], path: Path
) -> None:
    # Text stays text, and ids do not change from run to run.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": path.stem, "font.size": 9}):
        figure = Figure(figsize=(4.2 * len(ratios) + 1.6, 0.34 * len(names) + 1), layout="tight")
        for axes, (head, numbers) in zip(
            figure.subplots(1, len(ratios), sharey=True, squeeze=False)[0], ratios, strict=True
        ):
            axes.barh(names, numbers, color=_COLOUR)
            known = [number for number in numbers if number > 0]
            if max(known) > _WIDE * min(known):
                axes.set_xscale("log")
            axes.axvline(1, color="grey", linewidth=0.8)
            axes.set_xlabel(head)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(left=False)
        axes.invert_yaxis()
        figure.suptitle(title, fontsize=10)
        figure.savefig(path, metadata={"Date": None})
