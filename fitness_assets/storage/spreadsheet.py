"""CSV that is safe to open in a spreadsheet."""

import csv
from typing import TYPE_CHECKING, Any

import pandas as pd

# Takes as long to import as the rest of the dashboard's first page.
if TYPE_CHECKING:
    import pyarrow as pa

#: What a cell that a spreadsheet runs begins with, after blanks: also their full-width forms.
_FORMULA_STARTS = ("=", "+", "-", "@", *"\uff1d\uff0b\uff0d\uff20")
# Text that is written as a number, and the first character of text that is no formula.
_PLAIN_NUMBER, _PLAIN_START = r"^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$", r"^[\p{L}\p{N}]"


def harmless(value: Any) -> Any:
    """`value`, prefixed with an apostrophe if it is text that a spreadsheet could run."""
    return f"'{value}" if isinstance(value, str) and _is_formula(value) else value


def safe_csv(frame: pd.DataFrame) -> str:
    """`frame` as CSV in which a spreadsheet finds no formula, neither in cells nor in headers.

    Text that starts as a formula, after blanks and invisible characters, is prefixed with an
    apostrophe, and all text is quoted (OWASP, CSV Injection). Numbers are written as numbers.
    """
    safe = frame.map(harmless).rename(columns=harmless)
    return safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)


def safe_lines(table: "pa.Table | pa.RecordBatch") -> list[str]:
    """The rows of `table` as lines of such a CSV, for tables of many rows.

    Text that is a number is written as it is, without quotes.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [_cells(values) for values in table.columns]
    comma = pa.scalar(",", pa.large_string())
    lines: list[str] = pc.binary_join_element_wise(*columns, comma).to_pylist()
    return lines


def _cells(values: "pa.Array | pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = pa.types
    number = kinds.is_integer(values.type) or kinds.is_floating(values.type)
    texts = pc.fill_null(values.cast(pa.large_string()), "")
    if number or kinds.is_decimal(values.type):
        return pc.if_else(pc.equal(texts, ""), pa.scalar('""', pa.large_string()), texts)
    unquoted = pc.match_substring_regex(texts, _PLAIN_NUMBER)
    plain = pc.match_substring_regex(texts, _PLAIN_START)
    known = pc.or_(pc.or_(unquoted, pc.equal(texts, "")), plain)
    if not pc.all(known, min_count=0).as_py():
        texts = pa.array(map(harmless, texts.to_pylist()), pa.large_string())
    quoted = pc.replace_substring(texts, '"', '""')
    mark, nothing = pa.scalar('"', pa.large_string()), pa.scalar("", pa.large_string())
    return pc.if_else(unquoted, texts, pc.binary_join_element_wise(mark, quoted, mark, nothing))


def _is_formula(text: str) -> bool:
    # A tab or a line break at the start already makes some spreadsheets begin another cell.
    starts = (each for each in text if each.isprintable() and not each.isspace())
    return text.startswith(("\t", "\r", "\n")) or next(starts, "").startswith(_FORMULA_STARTS)
