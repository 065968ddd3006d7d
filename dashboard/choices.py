"""Choices that are in the address, so that a reload, Back or a copied address restores them.

Streamlit binds a widget to a parameter of the address, which is absent for the default. It keeps
the choices of a view that is left for the next visit. If the address asks for what is not there, a
message says so, and the default is used. Views that use the same key share the choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from fitness_assets import formatting
from fitness_assets.text import printable, verbatim

T = TypeVar("T")

# The key of the choice of a user.
_USER = "user"
# Users in a list: more would take megabytes each time it is drawn.
_MOST_LISTED = 2_000


@dataclass(frozen=True)
class Scale:
    """The numbers that a field takes: from `low` to `high`, with `decimals`, by `step`."""

    high: float | None = None
    step: float = 1.0
    decimals: int = 0
    low: float = 0.0


def one_of(
    title: str,
    options: Sequence[T],
    key: str,
    format_func: Callable[[T], str] = str,
    default: T | None = None,
) -> T:
    """One of `options`, from a list.

    Parameters
    ----------
    title : str
    options : sequence
    key : str
        The parameter of the address.
    format_func : callable
        What an option is called, also in the address.
    default : optional
        The first option if it is None.
    """
    start = _prepare(title, options, key, format_func, default)
    chosen: T = st.selectbox(
        title,
        options,
        index=options.index(start),
        format_func=format_func,
        key=key,
        bind="query-params",
    )
    return chosen


def for_all_views(title: str, options: Sequence[str], key: str, default: str) -> str:
    """One of `options`, from a list in the sidebar; parameters as those of `one_of`.

    A message is on the page: on a phone the sidebar is closed.
    """
    start = _prepare(title, options, key, str, default)
    chosen: str = st.sidebar.selectbox(
        title,
        options,
        index=options.index(start),
        key=key,
        help="Applies to all views.",
        bind="query-params",
    )
    return chosen


def segment(title: str, options: Sequence[str], key: str) -> str:
    """One of `options` by segments, at first the first one; parameters as those of `one_of`."""
    start = _prepare(title, options, key, str, None)
    chosen: str = st.segmented_control(
        title, options, default=start, required=True, key=key, bind="query-params"
    )
    return chosen


def button(title: str, options: Sequence[str], key: str) -> str:
    """One of `options` by buttons, at first the first one; parameters as those of `one_of`."""
    _prepare(title, options, key, str, None)
    return st.radio(title, options, key=key, horizontal=True, bind="query-params")


def step(title: str, options: Sequence[str], key: str) -> str:
    """One of `options` by a slider, at first the last one; parameters as those of `one_of`."""
    start = _prepare(title, options, key, verbatim, options[-1])
    return st.select_slider(
        title, options, value=start, format_func=verbatim, key=key, bind="query-params"
    )


def at_most_one_of(
    title: str, options: Sequence[str], key: str, format_func: Callable[[str], str]
) -> str | None:
    """One of `options`, at first none; parameters as those of `one_of`."""
    _report_unknown(title, key, {format_func(option) for option in options})
    chosen: str | None = st.selectbox(
        title, options, index=None, format_func=format_func, key=key, bind="query-params"
    )
    return chosen


def some_of(
    title: str,
    options: Sequence[str],
    key: str,
    format_func: Callable[[str], str],
    default: Sequence[str],
) -> list[str]:
    """Any number of `options`, at first those of `default`; parameters as those of `one_of`."""
    _report_unknown(title, key, {format_func(option) for option in options})
    if key in st.session_state:
        kept = [option for option in st.session_state[key] if option in options]
        if kept != st.session_state[key]:
            st.session_state[key] = kept
    chosen: list[str] = st.pills(
        title,
        options,
        selection_mode="multi",
        default=list(default),
        format_func=format_func,
        key=key,
        bind="query-params",
    )
    return chosen


def number(
    title: str, key: str, value: float | None, scale: Scale, help_text: str | None = None
) -> float | None:
    """A number of `scale`; None if the field is empty, which only one without a `value` can be."""
    asked = st.query_params.get(key)
    if asked and not _is_number(asked, scale):
        _say(asked, title)
    entered: float | None = st.number_input(
        title,
        scale.low,
        scale.high,
        None if value is None else float(value),
        scale.step,
        f"%.{scale.decimals}f",
        key=key,
        help=help_text,
        bind="query-params",
    )
    return entered


def user(users: Sequence[str]) -> str:
    """One of `users`, from a list that does not become too long for a browser.

    Parameters
    ----------
    users : sequence of str
        Ids in order. Of many the first are listed, and the one that the address asks for.
    """
    listed = list(users[:_MOST_LISTED])
    if len(users) > len(listed):
        asked = {str(st.session_state.get(_USER)), str(st.query_params.get(_USER))}
        listed += sorted(asked.intersection(users).difference(listed))
        shown = formatting.number(len(listed))
        st.caption(
            f"{shown} of {formatting.number(len(users))} users are listed. Open another one by "
            f"its id in the address: `?{_USER}=` and the id."
        )
    return one_of("User", listed, _USER, printable)


def _prepare(
    title: str, options: Sequence[T], key: str, format_func: Callable[[T], str], default: T | None
) -> T:
    """The default, after a message if the address asks for what is not an option."""
    _report_unknown(title, key, {format_func(option) for option in options})
    start = options[0] if default is None else default
    # Another view or another month may have had other options.
    if st.session_state.get(key, start) not in options:
        del st.session_state[key]
    return start


def _report_unknown(title: str, key: str, names: set[str]) -> None:
    for asked in st.query_params.get_all(key):
        if asked and asked not in names:
            _say(asked, title)


def _say(asked: str, title: str) -> None:
    st.info(
        f"The address asks for {verbatim(asked)}, which is not in the list “{title}”.",
        icon=":material/link_off:",
    )


def _is_number(text: str, scale: Scale) -> bool:
    try:
        value = float(text)
    except ValueError:
        return False
    return scale.low <= value <= (float("inf") if scale.high is None else scale.high)
