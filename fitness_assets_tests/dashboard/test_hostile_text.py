"""Text of a release in all views: never as Markdown, and without control characters."""

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from fitness_assets.settings import Settings
from fitness_assets_tests.support.opening import (
    COMPRESSION_REPORT,
    VIEWS,
    Change,
    changed,
    open_view,
    without_models,
)

MARK = " <b>[x](//evil.example)</b> :red[y] $z$ `` \x1b[31m\u202e"
#: What remains of it in a label.
SHOWN = "<b>[x](//evil.example)</b>"
#: Fields of elements that Streamlit shows as plain text.
PLAIN = {"vega_lite_chart.spec", "vega_lite_chart.alt"}
CONTROLS = re.compile("[\x1b\u202e]")
#: A code span of Markdown, in which nothing is rendered.
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
#: Fields that only identify an element.
IDS = {"id", "form_id", "user_key"}


def hostile(value: Any, key: str = "") -> Any:
    """The metrics of a release with `MARK` in every text that is not an identifier."""
    if isinstance(value, dict):
        return {name: hostile(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, key) for each in value]
    texts = {"message", "slice", "labels", "majority_class", "name", "unit", "reason", "step"}
    return value + MARK if isinstance(value, str) and key in texts else value


def change(metrics: dict[str, Any], files: dict[str, bytes]) -> None:
    """`MARK` in the texts of the metrics and of the tables."""
    metrics["compression"] = COMPRESSION_REPORT
    metrics["data"]["unread"] = {f"a.csv{MARK}": f"row 3{MARK}"}
    metrics["backtest"]["not_scored"] = dict.fromkeys(metrics["models"], MARK)
    metrics["renamed_segments"] = {f"now{MARK}": f"before{MARK}"}
    metrics |= hostile(metrics)
    metrics["data"]["checks"][-1]["name"] = "no_drift"
    for name, columns in {
        "user_map": ("segment_name", "before"),
        "movement": ("before", "segment"),
        "activities": ("activity_type",),
        "spreads": ("activity_type",),
        "sample": ("activity_type",),
    }.items():
        table = pd.read_parquet(io.BytesIO(files[f"{name}.parquet"]))
        marked = table.assign(**{column: table[column] + MARK for column in columns})
        files[f"{name}.parquet"] = marked.to_parquet(index=False)


def without(metrics: dict[str, Any], files: dict[str, bytes]) -> None:
    """As `change`, of a month without models and of a segment that is not described."""
    without_models(metrics, files)
    metrics["compression"] = {"steps": [], "reason": MARK}
    metrics |= hostile(metrics)


def undescribed(metrics: dict[str, Any], files: dict[str, bytes]) -> None:
    """The segments of the users have other names than those that are described."""
    change(metrics, files)
    table = pd.read_parquet(io.BytesIO(files["user_map.parquet"]))
    other = table.assign(segment_name=MARK)
    files["user_map.parquet"] = other.to_parquet(index=False)


def strings(message: Any, path: str) -> Iterator[tuple[str, str]]:
    """The texts of an element, with the names of their fields."""
    for field, value in message.ListFields():
        values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
        for each in values:
            if hasattr(each, "ListFields"):
                yield from strings(each, f"{path}.{field.name}")
            elif isinstance(each, str) and field.name == "spec":
                yield from ((f"{path}.spec", text) for text in leaves(json.loads(each)))
            elif isinstance(each, str) and field.name not in IDS:
                yield f"{path}.{field.name}", each


def leaves(value: Any) -> Iterator[str]:
    """The texts of a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)


def shown(view: AppTest) -> Iterator[tuple[str, str]]:
    """All texts of a view, with the kinds of their elements and fields."""
    for each in view.main:
        if each.proto is not None:
            yield from strings(each.proto, each.type)
    for table in view.table:
        frame = table.value.reset_index()
        yield from (("table.cell", str(cell)) for cell in frame.to_numpy().ravel())


#: How a release is changed, the views that show it, and the fields that show its texts.
CASES: dict[str, tuple[Change, tuple[str, ...], set[str]]] = {
    "texts": (
        change,
        VIEWS,
        {"markdown.body", "caption.body", "table.cell", "select_slider.options", *PLAIN},
    ),
    "reasons": (without, VIEWS, {"info.body", "table.cell"}),
    "names": (undescribed, ("my_days",), {"info.body"}),
}


@pytest.mark.parametrize("case", CASES)
def test_no_view_renders_text_of_a_release(
    case: str, released: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, views, places = CASES[case]
    source = changed(released, tmp_path / "hostile", make)
    found = set()
    for name in views:
        view = open_view(name, source, monkeypatch)
        assert not view.exception
        frames = [frame.value.to_csv() for frame in view.dataframe]
        assert not [each for each in frames if CONTROLS.search(each)], name
        for place, text in shown(view):
            assert not CONTROLS.search(text), (name, place, text)
            if SHOWN not in text.lower():
                continue
            found.add(place)
            if place not in PLAIN:
                assert SHOWN not in CODE.sub("", text).lower(), (name, place, text)
    assert found >= places
