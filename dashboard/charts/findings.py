"""What a chart shows, in words, for a screen reader. A pure function of its specification.

The tooltip of a mark names its values with their titles and formats, so it says what to describe:
the first number (a median first) is the value, and what precedes it names the mark.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fitness_assets import formatting

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

# Series that are described one by one, and parts of a text.
_MOST_SERIES = 4
_DECIMALS = re.compile(r"\.(\d+)")


def described(spec: Spec) -> str:
    """The title of a chart and its finding: "Steps, mean by day. Lowest 7,700 (4 May 2023), ...".

    Parameters
    ----------
    spec : dict
        A specification of Vega-Lite, with its data in ``datasets``.
    """
    title = str(spec.get("title", ""))
    for layer in _layers(spec, {}, None):
        if found := _finding(layer["encoding"], _rows(layer["data"], spec)):
            return f"{title}. {found}."
    return title


def _layers(spec: Spec, encoding: Spec, data: Any) -> Iterator[Spec]:
    """The layers that have a mark, with the encoding and the data that they inherit."""
    encoding, data = encoding | spec.get("encoding", {}), spec.get("data", data)
    for layer in spec.get("layer", ()):
        yield from _layers(layer, encoding, data)
    if "layer" not in spec:
        yield {"encoding": encoding, "data": data}


def _rows(data: Any, spec: Spec) -> Rows:
    if not isinstance(data, dict):
        return []
    rows: Rows = data.get("values") or spec.get("datasets", {}).get(data.get("name"), [])
    return rows


def _finding(encoding: Spec, rows: Rows) -> str:
    tips = encoding.get("tooltip")
    tips = tips if isinstance(tips, list) else []
    if not tips or not rows:
        return ""
    numbers = [tip for tip in tips if tip["type"] == "quantitative"]
    color = encoding.get("color", {}).get("field")
    if not numbers:
        # Notes have no colours of their own, and are listed on the page.
        counts = Counter(str(row[color]) for row in rows) if color else {}
        return ", ".join(f"{formatting.number(count)} {name}" for name, count in counts.items())
    if _is_scatter(encoding):
        ranges = [f"{tip['title']} {_range(tip, rows)}" for tip in numbers]
        return f"{formatting.plural(len(rows), 'point')}. {', '.join(ranges)}"
    edges = {
        encoding[axis]["field"] for axis in ("x", "y") if encoding.get(axis, {}).get("bin")
    } | {encoding[end]["field"] for end in ("x2", "y2") if "field" in encoding.get(end, {})}
    values = [tip for tip in numbers if tip["field"] not in edges] or numbers
    value = next((tip for tip in values if tip["title"].startswith("Median")), values[0])
    labels = tips[: tips.index(value)]
    labels = [tip for tip in labels if tip not in values]
    series = encoding.get("color", {})
    field = str(series.get("field")) if series.get("type") == "nominal" else ""
    names = list(dict.fromkeys(row.get(field) for row in rows)) if field else []
    if 1 < len(names) <= _MOST_SERIES and len(names) < len(rows):
        own_labels = [tip for tip in labels if tip["field"] != field]
        parts = {
            name: _extremes(value, own_labels, [row for row in rows if row.get(field) == name])
            for name in names
        }
        return ". ".join(f"{str(name).capitalize()}: {part}" for name, part in parts.items())
    return f"{value['title']}: {_extremes(value, labels, rows)}"


def _is_scatter(encoding: Spec) -> bool:
    axes = [encoding.get(axis, {}) for axis in ("x", "y")]
    return (
        all(axis.get("type") == "quantitative" and not axis.get("bin") for axis in axes)
        and "x2" not in encoding
    )


def _extremes(value: Spec, labels: list[Spec], rows: Rows) -> str:
    known = [row for row in rows if _is_known(row.get(value["field"]))]
    if not known:
        return "no values"
    # The diagonal of a table of correlations is 1 by definition.
    pairs = [row for row in known if len({row[tip["field"]] for tip in labels}) == len(labels)]
    diagonal = {row[value["field"]] for row in known if row not in pairs}
    if pairs and diagonal == {1.0}:
        known = pairs
    low, high = (end(known, key=lambda row: row[value["field"]]) for end in (min, max))
    if low[value["field"]] == high[value["field"]]:
        only = f" ({_label(low, labels)})" if len(known) == 1 and labels else ""
        return f"{_text(value, low)}{only}"
    return ", ".join(
        f"{name} {_text(value, row)}" + (f" ({_label(row, labels)})" if labels else "")
        for name, row in (("lowest", low), ("highest", high))
    )


def _range(tip: Spec, rows: Rows) -> str:
    known = [row for row in rows if _is_known(row.get(tip["field"]))]
    if not known:
        return "no values"
    low, high = (end(known, key=lambda row: row[tip["field"]]) for end in (min, max))
    return f"{_text(tip, low)} to {_text(tip, high)}"


def _is_known(value: Any) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)


def _label(row: Spec, labels: list[Spec]) -> str:
    texts = [
        f"{tip['title'].lower()} {_text(tip, row)}"
        if tip["type"] == "quantitative"
        else _text(tip, row)
        for tip in labels
    ]
    # The edges of a bin are "from 5 to 10".
    is_bin = all(tip["type"] == "quantitative" for tip in labels)
    return (" " if is_bin else ", ").join(texts)


def _text(tip: Spec, row: Spec) -> str:
    """The value of a tooltip's field in its format, which is one of d3's."""
    value, form = row[tip["field"]], tip.get("format", "")
    if tip["type"] == "temporal":
        return datetime.fromisoformat(str(value)).strftime(form)
    if tip["type"] != "quantitative":
        return str(value)
    found = _DECIMALS.search(form)
    decimals = int(found[1]) if found else 0
    if "%" in form:
        return formatting.percent(value, decimals)
    if "r" in form:
        return formatting.significant(value, decimals or 6)
    return formatting.signed(value, decimals) if "+" in form else formatting.number(value, decimals)
