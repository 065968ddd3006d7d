"""Downloads of a data frame as CSV and Parquet, and of Markdown."""

import io

import pandas as pd
import streamlit as st

from fitness_assets.storage.spreadsheet import safe_csv
from fitness_assets.web.owned_media import owned_type


def buttons(frame: pd.DataFrame, name: str) -> None:
    """Buttons to download `frame` as ``name.csv`` and ``name.parquet``."""
    with st.container(horizontal=True):
        st.download_button(
            "Download as CSV",
            safe_csv(frame),
            f"{name}.csv",
            owned_type("text/csv", st.context.cookies),
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            "Download as Parquet",
            _parquet(frame),
            f"{name}.parquet",
            owned_type("application/vnd.apache.parquet", st.context.cookies),
            on_click="ignore",
            icon=":material/download:",
        )


def markdown(content: str, title: str, name: str) -> None:
    """A button to download `content` as ``name.md``."""
    st.download_button(
        title,
        content,
        f"{name}.md",
        owned_type("text/markdown", st.context.cookies),
        on_click="ignore",
        icon=":material/download:",
    )


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()
