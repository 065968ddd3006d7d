"""What the views share: a title and a release to show, figures, tables and downloads."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import charts, data
from dashboard.units import Units
from fitness_assets.errors import StorageError
from fitness_assets.release.bundle import Release

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def of_release(title: str) -> Callable[[Callable[[Release], None]], Callable[[], None]]:
    """Make a view of a function that draws a release: it says so where there is none to draw."""

    def view(draw: Callable[[Release], None]) -> Callable[[], None]:
        @wraps(draw)
        def show() -> None:
            st.title(title)
            release = data.current()
            if release is None:
                return
            try:
                draw(release)
            except StorageError as error:
                data.refuse(release.month, error)

        return show

    return view


def figure(draw: Callable[..., Any], *told: Any) -> None:
    """Draw what a function of `charts` makes of `told`; who cannot see it is told its title."""
    title, drawn = _drawn(draw.__name__, told)
    st.vega_lite_chart(drawn, alt=title)


@st.cache_data(max_entries=96, show_spinner=False, hash_funcs={Units: lambda units: units.system})
def _drawn(name: str, told: Any) -> tuple[str, dict[str, Any]]:
    """Its title and its specification: Altair takes longer to make one than all else on a page."""
    chart = charts.themed(getattr(charts, name)(*told))
    with alt.data_transformers.disable_max_rows():
        return str(chart.title), chart.to_dict(validate=False)


def figures(values: Mapping[str, str], helps: Mapping[str, str] | None = None) -> None:
    """Figures with their names, side by side where there is room."""
    with st.container(horizontal=True):
        for name, value in values.items():
            st.metric(name, value, border=True, height="stretch", help=(helps or {}).get(name))


def table(rows: Any, columns: Mapping[str, Any], told: str) -> None:
    """Those columns of a table, the first always in view; `told` tells who cannot see it."""
    frame = pd.DataFrame(rows)
    first, *others = columns
    named = st.column_config.TextColumn(columns[first], pinned=True)
    st.dataframe(
        frame[[name for name in columns if name in frame]],
        hide_index=True,
        height="content",
        column_config={first: named, **{name: columns[name] for name in others}},
        alt=told,
    )


def number(label: str, decimals: int = 0) -> Any:
    """A column of numbers, with commas between the thousands."""
    return st.column_config.NumberColumn(label, format=f"%,.{decimals}f")


def verdicts(told: Sequence[Mapping[str, Any]]) -> None:
    """What each check found, in the order given."""
    rows = [
        {
            "Check": verdict["name"].replace("_", " ").capitalize(),
            "": "✓\N{NO-BREAK SPACE}passed" if verdict["passed"] else "✗\N{NO-BREAK SPACE}failed",
            "What it saw": verdict["message"],
        }
        for verdict in told
    ]
    # Unlike in a data frame, long lines wrap.
    st.table(pd.DataFrame(rows).set_index("Check"))


def downloads(frame: pd.DataFrame, name: str) -> None:
    """Buttons to download `frame` as ``name.csv`` and ``name.parquet``."""
    with st.container(horizontal=True):
        st.download_button(
            "Download as CSV",
            harmless_csv(frame),
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


def harmless_csv(frame: pd.DataFrame) -> str:
    """`frame` as CSV with no text, headers included, that a spreadsheet would run as a formula.

    Such text gets an apostrophe before it, and all text quotes around it, as OWASP advises; numbers
    are numbers and stay so.
    """

    def safe(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

    told = frame.map(safe).rename(columns=safe)
    return told.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def size(count: float) -> str:
    """Bytes as people write them."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:,.3g} {unit}"
    return f"{count:,.0f} bytes"
