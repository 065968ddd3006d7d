"""Tables as they are printed: all columns, with text that wraps.

Streamlit draws a table on a canvas, of which the printer gets what fits the screen. ``style.css``
shows one of the two: this one on paper.
"""

import html
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fitness_assets.formatting import NO_DATA, number, significant

#: Longer tables are printed as they are on the screen.
MAX_ROWS = 100
_DECIMALS = re.compile(r"\.(\d+)([fg])(%*)")


def table(frame: pd.DataFrame, headers: Mapping[str, Any]) -> str:
    """`frame` as HTML.

    Parameters
    ----------
    frame : DataFrame
    headers : mapping
        Header or column configuration of each column.
    """
    columns = [headers[str(name)] for name in frame]
    head = "".join(f"<th>{html.escape(_title(each))}</th>" for each in columns)
    rows = [
        "".join(
            f"<td>{html.escape(_text(value, column))}</td>"
            for value, column in zip(row, columns, strict=True)
        )
        for row in frame.itertuples(index=False, name=None)
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table class="printed"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _title(header: Any) -> str:
    return str(header if isinstance(header, str) else header["label"])


def _text(value: Any, header: Any) -> str:
    """`value` as the column of the table writes it."""
    if pd.isna(value):
        return NO_DATA
    if isinstance(value, str):
        return value
    form = "" if isinstance(header, str) else header["type_config"].get("format") or ""
    found = _DECIMALS.search(form)
    if found is None:
        return significant(value, 6)
    digits, kind, percent = found.groups()
    text = significant(value, int(digits)) if kind == "g" else number(value, int(digits))
    return f"{text}{'%' if percent else ''}"
