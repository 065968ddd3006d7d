"""Downloads of a data frame as CSV and Parquet."""

import csv
import io
from typing import Any

import pandas as pd
import streamlit as st

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def buttons(frame: pd.DataFrame, name: str) -> None:
    """Buttons to download `frame` as ``name.csv`` and ``name.parquet``."""
    with st.container(horizontal=True):
        st.download_button(
            "Download as CSV",
            safe_csv(frame),
            f"{name}.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Download as Parquet",
            _parquet(frame),
            f"{name}.parquet",
            "application/vnd.apache.parquet",
            on_click="ignore",
            icon=":material/download:",
        )


def safe_csv(frame: pd.DataFrame) -> str:
    """`frame` as CSV in which a spreadsheet finds no formula, neither in cells nor in headers.

    Text that starts as a formula is prefixed with an apostrophe, and all text is quoted (OWASP,
    CSV Injection). Numbers are written as numbers.
    """

    def escaped(value: Any) -> Any:
        is_formula = isinstance(value, str) and value.startswith(_FORMULA_STARTS)
        return f"'{value}" if is_formula else value

    safe = frame.map(escaped).rename(columns=escaped)
    return safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()
