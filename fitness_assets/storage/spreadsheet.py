"""CSV that is safe to open in a spreadsheet."""

import csv
from typing import Any

import pandas as pd

#: What a cell that a spreadsheet runs begins with, after blanks: also their full-width forms.
_FORMULA_STARTS = ("=", "+", "-", "@", *"\uff1d\uff0b\uff0d\uff20")


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


def _is_formula(text: str) -> bool:
    # A tab or a line break at the start already makes some spreadsheets begin another cell.
    starts = (each for each in text if each.isprintable() and not each.isspace())
    return text.startswith(("\t", "\r", "\n")) or next(starts, "").startswith(_FORMULA_STARTS)
