"""Renders docs/formats.md from the declarations of the export formats."""

from collections.abc import Iterable, Iterator

from fitness_assets.record.raw import COLUMNS
from fitness_assets.sources.exports.protocol import Format
from fitness_assets.sources.exports.registry import FORMATS

_ALWAYS_FILLED = ("user_id", "date", "source")
_INTRODUCTION = """\
# Export formats

<!-- Generated from the code by `make docs`. -->

The formats that `fitness import` reads, and the columns of the canonical record that each can fill
(●). A column is null on days for which the export has no value. Three columns are always filled:
`user_id`, `date` and `source`, the name of the format. `ingested_at` is the time of the import,
unless the export states when it was made.

The format is detected from the content of each file, whatever its name. A folder or a zip may hold
several formats. The last row of the table says which formats have user ids of their own, and which
need a declared user (`--user NAME`, or a folder `NAME` in the inbox)."""


def render() -> str:
    """The document, in Markdown."""
    formats = sorted(FORMATS.values(), key=lambda each: each.name)
    sections = (line for each in formats for line in ("", *_section(each)))
    return "\n".join([_INTRODUCTION, "", *_matrix(formats), *sections, ""])


def _matrix(formats: list[Format]) -> Iterator[str]:
    yield _row(["column", *(f"[{each.name}](#{each.name})" for each in formats)])
    yield _row(["---", *(":-:" for _ in formats)])
    for column in COLUMNS:
        if column.name not in _ALWAYS_FILLED:
            cells = ("●" if column.name in each.columns else "" for each in formats)
            yield _row([f"`{column.name}`", *cells])
    yield _row(["user", *("own ids" if each.has_user_ids else "`--user`" for each in formats)])


def _section(each: Format) -> Iterator[str]:
    users = "The files have user ids." if each.has_user_ids else "Declare the user with `--user`."
    yield f"## {each.name}"
    yield ""
    yield f"{each.title}."
    yield ""
    yield f"- **Identified by:** {each.identified_by}"
    yield f"- **Users:** {users}"
    yield f"- **Dates:** {each.dates}"
    yield f"- **Units:** {each.units}"
    yield ""
    yield _row(["column", "unit", "from"])
    yield _row(["---", "---", "---"])
    for column in COLUMNS:
        if column.name in each.columns:
            yield _row([f"`{column.name}`", column.unit, each.columns[column.name]])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
