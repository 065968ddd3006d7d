"""What the views share: the frame of a view, charts, tables and metrics."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import data, notices, printed, visitor
from dashboard import people as rows_of_people
from dashboard.charts.findings import described
from dashboard.charts.theme import themed
from dashboard.people import People
from dashboard.text import label
from fitness_assets import months
from fitness_assets.errors import MemoryBudgetError, StorageError
from fitness_assets.formatting import NO_DATA, days_text, number
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.units import METRIC, Units
from fitness_assets.release.bundle import Release, ReleasedModel
from fitness_assets.release.model_loader import Loaded
from fitness_assets.storage.notes import Note
from fitness_assets.storage.spreadsheet import harmless
from fitness_assets.text import printable, verbatim
from fitness_assets.web.access import Access

log = logging.getLogger(__name__)

#: Text that starts as a formula of a spreadsheet, and is a number.
_SIGNED_NUMBER = re.compile(r"[+-]\d[\d,]*(\.\d+)?%?")
#: The mark of a check's result.
_MARKS = {"passed": "✓", "failed": "✗", "not judged": "\N{EN DASH}"}


def view(draw: Callable[[Release], None]) -> Callable[[], None]:
    """Make the `show` function of a view from a function that draws a release.

    The title is the name of the view's module. If there is no release to draw, or it cannot be
    read, the view says so. The log has the traceback of any other error, which visitors never see.
    """
    title = label(draw.__module__.rpartition(".")[2])

    @wraps(draw)
    def show() -> None:
        st.title(title)
        month = st.session_state.get("month")
        if month is None:
            notices.nothing_released()
            return
        # The list of months is in the sidebar, which is closed on a phone.
        st.markdown(f"**{months.start(month):%B %Y}**")
        try:
            release = data.release(month)
            if release.info.partial_until is not None:
                notices.partial(release.info.partial_until)
            draw(release)
        except StorageError as error:
            notices.release_refused(month, error)
        except Exception:
            log.exception("the view %s of %s cannot be drawn", title, month)
            notices.view_failed(month)

    return show


def chosen_units() -> Units:
    """The units chosen in the sidebar."""
    return Units(st.session_state.get("units", METRIC))


def releases() -> list[Release]:
    """All releases in order; a message is drawn for each that cannot be opened."""
    opened, errors = data.releases(st.session_state.get("months", ()))
    for month, error in errors.items():
        notices.release_refused(month, error)
    return opened


def people(release: Release, *, notice: bool = True) -> People | None:
    """The rows of people of `release` that the visitor may read, or None.

    Views read rows of people only in this way.

    Parameters
    ----------
    release : Release
    notice : bool
        Whether to draw the reason if there are none.
    """
    found = rows_of_people.read(release, visitor.access)
    if isinstance(found, People):
        return found
    if notice and found is None:
        notices.people_missing()
    elif notice and isinstance(found, Access):
        notices.people_denied(found.reason)
    return None


def loaded_models(release: Release) -> Loaded | None:
    """The models of `release`; if they do not fit in memory, None after a message."""
    try:
        return data.models(release)
    except MemoryBudgetError as error:
        notices.models_not_loaded(error)
        return None


def carried_metrics(model: ReleasedModel, kind: type[data.M]) -> data.M | None:
    """The metrics of the model that the release carries, after `notices.fallback`."""
    notices.fallback(model)
    return data.carried_metrics(model, kind)


def chart(draw: Callable[..., Any], *args: Any) -> None:
    """Draw the chart that `draw` makes of `args`; its finding is the alternative text."""
    finding, height, spec = _spec(f"{draw.__module__}.{draw.__qualname__}", args, draw)
    # The height is reserved before the chart is drawn. If the page moved then, the browser would
    # scroll, which closes an open list.
    st.vega_lite_chart(spec, alt=finding, height=height)


@st.cache_data(
    max_entries=96,
    show_spinner=False,
    hash_funcs={Units: lambda units: units.system, Note: repr},
)
def _spec(
    name: str,  # noqa: ARG001 - the cache key of the function
    args: Any,
    _draw: Callable[..., Any],
) -> tuple[str, int, dict[str, Any]]:
    """Finding, height and Vega-Lite specification: building it takes longer than all else."""
    drawn = themed(_draw(*args))
    with alt.data_transformers.disable_max_rows():
        spec = _printable(drawn.to_dict(validate=False))
    return described(spec), int(drawn.height), spec


def _printable(value: Any) -> Any:
    """A specification whose texts, those of the data included, are printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(each) for key, each in value.items()}
    return [_printable(each) for each in value] if isinstance(value, list) else value


def change_metric(
    title: str, value: str, change: str | None, is_better: bool | None = None
) -> None:
    """A metric with its change in words, without an arrow, since the change has a sign.

    Parameters
    ----------
    title, value : str
    change : str or None
        The change, with what it is compared with; None for none.
    is_better : bool, optional
        Whether the change is good. None if it is neither good nor bad.
    """
    st.metric(
        title,
        value,
        change,
        delta_color="gray" if is_better is None else "green" if is_better else "red",
        delta_arrow="off",
        border=True,
        height="stretch",
    )


def known_days(known: int, days: int) -> None:
    """Say on how many days something is known, if not on all: "Known on 11 of 31 days."."""
    if known < days:
        st.caption(f"Known on {number(known)} of {days_text(days)}.")


def caption_of_sample(release: Release) -> None:
    """Say so where the distributions of `release` are of a sample of the users."""
    one_in = release.info.one_user_in
    if one_in > 1:
        st.caption(
            f"Distributions, and counts of values, are of one user in {number(one_in)}. Counts of "
            "days and means, by date and by activity, are of all users."
        )


def metric_row(values: Mapping[str, str], helps: Mapping[str, str] | None = None) -> None:
    """Metrics with their labels, side by side if there is room."""
    with st.container(horizontal=True):
        for name, value in values.items():
            st.metric(name, value, border=True, height="stretch", help=(helps or {}).get(name))


def table(rows: Any, columns: Mapping[str, Any], description: str) -> None:
    """A table with its first column pinned.

    Parameters
    ----------
    rows : DataFrame, or what makes one
    columns : mapping
        Header or column configuration by column of `rows`. Columns that `rows` lacks are omitted.
    description : str
        The alternative text.
    """
    # The table offers a download as CSV. Unlike Markdown, its cells are shown as they are.
    frame = pd.DataFrame(rows)
    frame = frame[[name for name in columns if name in frame]].map(_as_cell)
    first, *others = columns
    pinned = st.column_config.TextColumn(columns[first], pinned=True)
    if len(frame) <= printed.MAX_ROWS:
        st.html(printed.table(frame, columns))
    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        column_config={first: pinned, **{name: columns[name] for name in others}},
        placeholder=NO_DATA,
        alt=description,
    )


def _as_cell(value: Any) -> Any:
    if not isinstance(value, str) or _SIGNED_NUMBER.fullmatch(value):
        return value
    return harmless(printable(value))


def number_column(header: str, decimals: int = 0) -> Any:
    """A column of numbers with a comma between the thousands."""
    return st.column_config.NumberColumn(header, format=f"%,.{decimals}f")


def percent_column(header: str, decimals: int = 0, about: str | None = None) -> Any:
    """A column of percentages, whose values are from 0 to 100, with an optional help text."""
    return st.column_config.NumberColumn(header, format=f"%.{decimals}f%%", help=about)


def text_column(header: str) -> Any:
    """A column of numbers that are already texts, such as "1.2 kB", aligned as numbers are."""
    return st.column_config.TextColumn(header, alignment="right")


def checks_table(results: Sequence[CheckResult]) -> None:
    """The results of data checks or release gates, in the order given."""
    rows = [
        {
            "Check": verbatim(label(result.name)),
            "Result": f"{_MARKS[result.state]} {result.state}".replace(" ", "\N{NO-BREAK SPACE}"),
            "Details": verbatim(result.message),
        }
        for result in results
    ]
    # Unlike in `st.dataframe`, long lines wrap.
    st.table(pd.DataFrame(rows).set_index("Check"))
