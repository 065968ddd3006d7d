"""Renders docs/formats.md from the declarations of the export formats."""

import csv
from collections.abc import Iterable, Iterator

from fitness_assets.record import workouts
from fitness_assets.record.raw import COLUMNS
from fitness_assets.sources import parquet_limits
from fitness_assets.sources.exports import (
    aggregate,
    apple_quantities,
    archive,
    archive_limits,
    fit_messages,
    layout,
    minute_amounts,
    parsing,
    reader,
    sqlite,
    tables,
    tidy_values,
    xml_stream,
)
from fitness_assets.sources.exports.formats import apple_health, fitbit_web
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

The format is detected from the content of each file, whatever its name; only columns that say too
little, such as `date,value`, need the name too. A folder or a zip may hold several formats. The row
`workouts` says which formats give workouts as rows, and the section of a format what they have. The
last row of the table says which formats have user ids of their own, and which need a declared user
(`--user NAME`, or a folder `NAME` in the inbox)."""


def render() -> str:
    """The document, in Markdown."""
    formats = sorted(FORMATS.values(), key=lambda each: each.name)
    sections = (line for each in formats for line in ("", *_section(each)))
    return "\n".join([_INTRODUCTION, "", *_matrix(formats), "", *_limits(), *sections, ""])


def _matrix(formats: list[Format]) -> Iterator[str]:
    yield _row(["column", *(f"[{each.name}](#{each.name})" for each in formats)])
    yield _row(["---", *(":-:" for _ in formats)])
    for column in COLUMNS:
        if column.name not in _ALWAYS_FILLED:
            cells = ("●" if column.name in each.columns else "" for each in formats)
            yield _row([f"`{column.name}`", *cells])
    yield _row(["workouts", *("●" if each.workouts else "" for each in formats)])
    yield _row(["user", *("own ids" if each.has_user_ids else "`--user`" for each in formats)])


def _limits() -> Iterator[str]:
    rows = {
        "CSV": f"{tables.MAX_COLUMNS:,} columns; {tables.MAX_ROW_LENGTH:,} characters a row, "
        f"{csv.field_size_limit():,} a value; {tidy_values.MAX_TEXT_LENGTH:,} characters a text "
        "that is imported",
        "Parquet": f"{parquet_limits.MAX_COLUMNS:,} columns, {parquet_limits.MAX_ROWS:,} rows, "
        f"{_size(parquet_limits.MAX_METADATA_BYTES)} of metadata; in a row group "
        f"{_size(parquet_limits.MAX_COLUMN_BYTES)} a column and "
        f"{_size(parquet_limits.MAX_ROW_GROUP_BYTES)} in all, without compression",
        "JSON": f"{_size(parsing.MAX_JSON_BYTES)}, and values that take about "
        f"{_size(parsing.MAX_JSON_MEMORY)} of memory",
        "SQLite": f"{_size(sqlite.MAX_BYTES)}, {sqlite.MAX_ROWS:,} rows, "
        f"{_size(sqlite.MAX_VALUE_BYTES)} a value, {sqlite.MAX_SECONDS:,} seconds",
        "FIT": f"{fit_messages.MAX_MESSAGES:,} messages a file",
        "Apple Health": f"{_size(xml_stream.MAX_ELEMENT_BYTES)} an element, "
        f"{apple_health.MAX_ZONES} time zones, "
        f"{_size(apple_quantities.MAX_VALUES_BYTES)} of values",
        "sources of an export": f"{aggregate.MAX_SOURCES:,}",
        "Google Takeout": f"{minute_amounts.MAX_READINGS:,} readings of an amount a file; "
        f"{minute_amounts.MAX_DAYS:,} days of all sources together",
        "Fitbit's web export": _size(fitbit_web.MAX_BYTES),
        "zip, tar, gzip, bzip2, xz": f"{archive_limits.MAX_RATIO} times the compressed size, from "
        f"{_size(archive_limits.RATIO_MIN_BYTES)} on, also in sum; {archive.MAX_MEMBERS:,} "
        f"members; {_size(archive_limits.MAX_ZIP_BYTES)} of zip members in sum; "
        f"{_size(archive.MAX_UNPACKED_BYTES)} unpacked to temporary files",
        "`layout.toml`, `sources.toml`": _size(layout.MAX_TOML_BYTES),
        "entries that are reported": f"{reader.MAX_REPORTED:,} of a file, "
        f"{reader.MAX_REPORTED_IN_ALL:,} of an import, {reader.MAX_FILES:,} kinds of files; the "
        "others are counted",
    }
    yield "## Limits"
    yield ""
    yield "A file over a limit is refused or quarantined, with the limit in the reason."
    yield ""
    yield _row(["what", "limit"])
    yield _row(["---", "---"])
    yield from (_row(row) for row in rows.items())


def _size(count_bytes: int) -> str:
    """A number of bytes in the unit that divides it."""
    units = {"MB": 1_000_000, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "bytes": 1}
    unit = next(unit for unit, size in units.items() if count_bytes % size == 0)
    return f"{count_bytes // units[unit]} {unit}"


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
    if each.workouts:
        yield ""
        yield _row(["column of a workout", "unit", "from"])
        yield _row(["---", "---", "---"])
        for column in workouts.COLUMNS:
            if column.name in each.workouts:
                yield _row([f"`{column.name}`", column.unit, each.workouts[column.name]])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
