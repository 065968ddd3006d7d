"""What assets show in the Dagster UI: common attributes, tables and small plots."""

import base64
import io
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from fitness_assets.months import text_until
from fitness_assets.record import daily
from fitness_assets.storage.publication import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OWNERS = ["team:fitness_assets"]
BLUE, ORANGE, GREEN, GREY = "#4C78A8", "#F58518", "#54A24B", "#9AA5B1"

#: Pool of the assets that use all cores or the cluster; a deployment limits its concurrent runs.
SPARK_POOL = "spark"


def result(manifest: Manifest, **metadata: Any) -> dg.MaterializeResult[None]:
    """Return a materialization whose data version is the content hash of `manifest`."""
    return dg.MaterializeResult(
        data_version=dg.DataVersion(manifest.data_version),
        metadata={"size_bytes": dg.MetadataValue.int(manifest.bytes), **metadata},
    )


def partial_metadata(partial_until: date | None) -> dict[str, dg.MetadataValue[str | None]]:
    """Return the metadata of a month that is stored until `partial_until`; none of a whole one."""
    if partial_until is None:
        return {}
    return {"PARTIAL": dg.MetadataValue.text(text_until(partial_until))}


def column_schema(columns: Mapping[str, str]) -> dg.TableSchema:
    """Return `columns` with their types, and their description if the record declares them."""
    descriptions = {field.name: field.metadata[b"description"].decode() for field in daily.SCHEMA}
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, description=descriptions.get(name))
            for name, kind in columns.items()
        ]
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
    """Return a table of scores, one row per model or baseline, rounded to four decimals."""
    rounded = [
        {name: round(float(v), 4) if isinstance(v, float) else v for name, v in row.items()}
        for row in rows
    ]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rounded])
