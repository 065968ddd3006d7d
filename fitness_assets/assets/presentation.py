"""What assets show in the Dagster UI: common attributes, tables and small plots."""

import base64
import io
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.months import text_until
from fitness_assets.record import daily, raw
from fitness_assets.storage.publication import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_THOUSAND, _TEN = 1_000, 10
# The rank of numbers in the order of the metadata.
_NUMBER = 3

#: What the numbers of the metadata mean, by name without what `_AROUND` matches.
EXPLANATIONS = {
    "size_bytes": "bytes of all stored files of the month",
    "bytes": "bytes of the model's file",
    "memory_bytes": "bytes that the model takes in memory",
    "bytes_read": "bytes of the lake that were read",
    "bytes_sent": "bytes that were sent; files that the target has are not sent again",
    "train_rows": "days that the model was trained on",
    "train_users": "users that the model was trained on",
    "heldout_rows": "days that the scores are of",
    "heldout_users": "users that the scores are of",
    "judged_users": "users that the stability was measured on",
    "users_with_kinds": "users whose days are of stable kinds",
    "repeats": "cross-validations by user, if there are too few users to hold some out; else 0",
    "accuracy": "share of the days whose activity was predicted; 1 is all",
    "balanced_accuracy": "mean of the share of each activity; 1 is all",
    "macro_f1": "mean F1 of the activities; 1 is best, and rare activities count as much as others",
    "log_loss": "how improbable the model found what happened; 0 is best",
    "calibration_error": "how far the confidence is from the share of right predictions; 0 is best",
    "r2": "share of the variation that is explained; 1 is best, 0 is always guessing the mean",
    "mae": "mean absolute error in kcal",
    "rmse": "root mean squared error in kcal",
    "coverage": "share of the days inside the prediction interval, which is for 0.9",
    "interval_width": "mean width of the prediction interval in kcal",
    "k": "number of segments",
    "stability": "least adjusted Rand index; 1: the same groups again, 0: no more than by chance",
    "lenient_stability": "the same between samples of the users; it does not count",
    "silhouette": "how separate the segments are; 1 is best",
    "gap": "gap statistic of the number of segments",
    "duplicates_removed": "records that were delivered more than once",
    "worn_share": "share of the days on which the device was worn",
    "days_not_worn": "days on which the device was not worn",
    "values_out_of_range": "values that were set to missing",
    "workouts_left_out": "workouts whose length is not plausible",
    "months_read": "months that the findings are from",
    "users": "users of the month",
    "models": "models that the release holds",
    "rows": "rows of findings of this kind",
    "times_smaller": "size of the default forest by that of the packed one, with the same inputs",
}
# What is written before and after a number's name.
_AROUND = re.compile(
    rf"^(?:(?:{'|'.join(MODEL_NAMES)})_)?(?:(?:baseline|week|unbounded|packed|released)_)?"
    r"(.+?)(?:_gain)?(?:_low|_high)?$"
)
_PARTS = {
    "baseline_": "of the baseline instead of the model",
    "_low": "lower bound in 95 of 100 bootstrap resamples; `_high` is the upper one",
    "_gain": "by how much the model is better than the baseline",
    "unbounded_": "of scikit-learn's default forest; `packed_`: of the packed one with the same "
    "inputs; `released_`: of the released model with more inputs",
}

OWNERS = ["team:fitness_assets"]
BLUE, ORANGE, GREEN, GREY = "#4C78A8", "#F58518", "#54A24B", "#9AA5B1"

#: Pool of the assets that use all cores or the cluster; a deployment limits its concurrent runs.
SPARK_POOL = "spark"


def result(manifest: Manifest, **metadata: Any) -> dg.MaterializeResult[None]:
    """Return a materialization whose data version is the content hash of `manifest`."""
    return dg.MaterializeResult(
        data_version=dg.DataVersion(manifest.data_version),
        metadata=_in_order({**metadata, "size_bytes": dg.MetadataValue.int(manifest.bytes)}),
    )


def _in_order(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return `metadata` as a reader needs it: texts, pictures, tables, numbers, and the rest.

    Within each kind the order is kept. Numbers are rounded and explained.
    """
    values = {name: _rounded(value) for name, value in metadata.items()}
    numbers = [name for name, value in values.items() if _rank((name, value)) == _NUMBER]
    known = {_base(name) for name in numbers}
    explained = {name: text for name, text in EXPLANATIONS.items() if name in known}
    explained |= {part: text for part, text in _PARTS.items() if part in " ".join(numbers)}
    if explained:
        lines = "\n".join(f"- `{name}`: {text}." for name, text in explained.items())
        values["what_the_numbers_mean"] = dg.MetadataValue.md(lines)
    return dict(sorted(values.items(), key=_rank))


def _base(name: str) -> str:
    """Return the name of a number without the model, baseline and bound that it is of."""
    match = _AROUND.match(name)
    found = match[1] if match else name
    return "rows" if found.endswith("_rows") and found not in EXPLANATIONS else found


def _rank(entry: tuple[str, Any]) -> int:
    value = entry[1]
    if isinstance(value, bool | str | dg.TextMetadataValue | dg.BoolMetadataValue):
        return 0
    if isinstance(value, dg.MarkdownMetadataValue):
        # A picture is Markdown, too; other Markdown is long.
        return 1 if "data:image" in (value.value or "") else 5
    if isinstance(value, dg.TableMetadataValue):
        return 2
    if isinstance(value, int | float | dg.IntMetadataValue | dg.FloatMetadataValue):
        return _NUMBER
    return 4


def _rounded(value: Any) -> Any:
    return rounded(value) if isinstance(value, float) else value


def rounded(value: float) -> float:
    """Return `value` with the digits that a reader needs: about four."""
    if math.isnan(value) or math.isinf(value):
        return value
    return round(value, 0 if abs(value) >= _THOUSAND else 1 if abs(value) >= _TEN else 3) + 0.0


def partial_metadata(partial_until: date | None) -> dict[str, dg.MetadataValue[str | None]]:
    """Return the metadata of a month that is stored until `partial_until`; none of a whole one."""
    if partial_until is None:
        return {}
    return {"PARTIAL": dg.MetadataValue.text(text_until(partial_until))}


def column_schema(columns: Mapping[str, str], declared: pa.Schema | None = None) -> dg.TableSchema:
    """Return `columns` with their types, and their description if `declared` has them.

    By default the columns are those of the record and the lake's days.
    """
    declared = daily.schema_of(raw.OPTIONAL) if declared is None else declared
    descriptions = {field.name: field.metadata[b"description"].decode() for field in declared}
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, description=descriptions.get(name))
            for name, kind in columns.items()
        ]
    )


def column_lineage(upstream: str, inputs: Mapping[str, Iterable[str]]) -> dg.TableColumnLineage:
    """Return the columns of the asset `upstream` that each column of an asset is computed from."""
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey(upstream), name) for name in names]
            for column, names in inputs.items()
        }
    )


def plot(width: float, height: float) -> tuple["Figure", "Axes"]:
    """Return an empty plot of this size in inches, without top and right spines."""
    # Imported here so that processes that only load the definitions start faster.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def picture(figure: "Figure") -> dg.MarkdownMetadataValue:
    """Return `figure` as an inline image, small enough for a Dagster event."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90, bbox_inches="tight")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![](data:image/png;base64,{encoded})")


def metric_table(rows: list[dict[str, str | float]]) -> dg.TableMetadataValue:
    """Return a table, one row per model or step, with rounded numbers."""
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _rounded(value) for name, value in row.items()}) for row in rows]
    )
