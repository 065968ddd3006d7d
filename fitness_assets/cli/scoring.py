"""Score the rows of a file with a released model, batch by batch."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.cli.output_file import replacing
from fitness_assets.cli.released_model import ReleasedForest
from fitness_assets.cli.row_batches import SUFFIXES, Batch, RowFile, decoded, is_numeric
from fitness_assets.cli.terminal import say
from fitness_assets.errors import SourceError
from fitness_assets.formatting import number, significant
from fitness_assets.models.forest_metrics import Inputs, RegressorMetrics
from fitness_assets.models.forests import calories
from fitness_assets.models.prediction import (
    out_of_range,
    predict_activity_of_days,
    predict_calories_of_days,
    used_columns,
)
from fitness_assets.models.registry import BY_NAME
from fitness_assets.record.activities import activity
from fitness_assets.record.raw import NUMBERS
from fitness_assets.storage.spreadsheet import safe_lines
from fitness_assets.text import shorten

#: The column that names the features of a row that lie outside the training range.
EXTRAPOLATED = "extrapolated"
_MAX_NAMED = 5

Write = Callable[[Batch, pd.DataFrame, pd.DataFrame], None]


@dataclass
class Scored:
    """What was found while a file was scored.

    Attributes
    ----------
    lacking : list of str
        Columns that the model uses and the file lacks.
    left_out : list of str
        Columns of lists and structures, which are not written.
    rows, extrapolated : int
        Rows, and those with a value outside the training range.
    known, outside : Counter
        Values by feature, and those outside the training range.
    categories : dict of str to set of str
        Categories that the model was not trained on, by feature, not all of them.
    """

    lacking: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    rows: int = 0
    extrapolated: int = 0
    known: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    categories: dict[str, set[str]] = field(default_factory=dict)


def score(
    forest: ReleasedForest, source: RowFile, to: Path | None, progress: Callable[[int, int], None]
) -> Scored:
    """Write the rows of `source` with predictions.

    Parameters
    ----------
    forest : ReleasedForest
    source : RowFile
    to : Path, optional
        Ends with one of `SUFFIXES`; replaced only once every row was scored. Standard output, as
        CSV, by default.
    progress : callable
        Called with the rows read, in bytes, and with the bytes of the file.

    Raises
    ------
    SourceError
        If the file has none of the columns that the model uses, has a column of predictions
        already, or cannot be read.
    """
    found = Scored()
    inputs = forest.metrics.inputs
    with _output(to) as write:
        for batch in source.read():
            if not batch.before:
                found.lacking, found.left_out = _lacking(batch, forest), source.left_out
            days = _days(inputs, batch)
            predicted = predictions(forest, days)
            _count(found, inputs, days, predicted)
            write(batch, days, predicted)
            progress(source.file.tell(), source.bytes)
    return found


def predictions(forest: ReleasedForest, days: pd.DataFrame) -> pd.DataFrame:
    """The columns of predictions of `days`, and `EXTRAPOLATED`.

    Parameters
    ----------
    forest : ReleasedForest
    days : DataFrame
        See `prediction.feature_rows`.
    """
    target = BY_NAME[forest.name].target
    if isinstance(forest.metrics, RegressorMetrics):
        found = predict_calories_of_days(forest.model, forest.metrics, days)
        columns = {
            f"predicted_{target}": found["expected"],
            "predicted_low": found["low"],
            "predicted_high": found["high"],
        }
    else:
        found = predict_activity_of_days(forest.model, forest.metrics, days)
        columns = {
            f"predicted_{target}": found.columns.to_numpy()[found.to_numpy().argmax(axis=1)],
            **{f"probability_{name}": found[name] for name in found},
        }
    outside = out_of_range(forest.metrics.inputs, days)
    names = np.full(len(days), "", dtype=object)
    for name, where in outside.items():
        names[where] += np.where(names[where] == "", name, f" {name}")
    return pd.DataFrame(columns, index=days.index).assign(**{EXTRAPOLATED: names})


def notes(found: Scored, inputs: Inputs) -> Iterator[str]:
    """What a user should know of a scored file, one line each."""
    if found.lacking:
        line = f"it lacks {', '.join(found.lacking)}; missing values are imputed"
        if calories.OFFSET in found.lacking and calories.OFFSET in inputs.features:
            line += f", and without {calories.OFFSET} the model without history predicts"
        yield line
    if found.left_out:
        yield f"lists and structures are not written: {', '.join(found.left_out)}"
    if found.extrapolated:
        yield (
            f"{number(found.extrapolated)} of {number(found.rows)} rows have values outside the "
            f"training range; the column {EXTRAPOLATED} names them"
        )
    for name, values in found.categories.items():
        shown = ", ".join(shorten(value) for value in sorted(values)[:_MAX_NAMED])
        yield f"no {name} that the model knows: {shown}; it knows {_known(inputs, name)}"
    for name, outside in found.outside.items():
        if name in inputs.ranges and 2 * outside > found.known[name]:
            unit = NUMBERS[name].unit if name in NUMBERS else ""
            known = inputs.ranges[name]
            yield (
                f"{number(outside)} of {number(found.known[name])} values of {name} lie outside "
                f"the training range, {significant(known.minimum, 6)} to "
                f"{significant(known.maximum, 6)}" + (f"; is the column in {unit}?" if unit else "")
            )


def _lacking(batch: Batch, forest: ReleasedForest) -> list[str]:
    """The columns that the model uses and the file lacks; raises SourceError if it lacks all."""
    names, inputs = batch.rows.schema.names, forest.metrics.inputs
    if not set(names) & set(used_columns(inputs)):
        raise SourceError(
            f"{batch.name} has none of the columns that the {forest.name} uses: "
            + ", ".join(used_columns(inputs))
        )
    added = predictions(forest, pd.DataFrame(index=[0])).columns
    if there := [name for name in added if name in names]:
        raise SourceError(f"{batch.name} has the column {there[0]} already; rename or remove it")
    # See `prediction.feature_rows`.
    known = {*names, "calories_burned_mean_7d"} if calories.OFFSET in names else {*names}
    return [name for name in used_columns(inputs) if name not in known]


def _days(inputs: Inputs, batch: Batch) -> pd.DataFrame:
    """The columns of `batch` that the model uses, as numbers and texts."""
    columns: dict[str, Any] = {}
    for name in used_columns(inputs):
        if name in inputs.categories:
            if name in batch.rows.schema.names:
                texts = batch.categories(name)
                known = {text: _category(name, text) for text in set(texts)}
                columns[name] = pd.Series([known[text] for text in texts], dtype=object)
        elif name in batch.rows.schema.names:
            columns[name] = batch.numbers(name)
    return pd.DataFrame(columns, index=range(batch.rows.num_rows))


def _count(found: Scored, inputs: Inputs, days: pd.DataFrame, predicted: pd.DataFrame) -> None:
    found.rows += len(days)
    found.extrapolated += int((predicted[EXTRAPOLATED] != "").sum())
    for name, where in out_of_range(inputs, days).items():
        found.known[name] += int(days[name].notna().sum())
        found.outside[name] += int(where.sum())
        if name in inputs.categories and where.any():
            values = found.categories.setdefault(name, set())
            if len(values) < _MAX_NAMED:
                values.update(days.loc[where, name].unique()[:_MAX_NAMED])


def _category(name: str, text: str | None) -> str | None:
    """A category as the lake spells it."""
    if text is None:
        return None
    return (activity(text) or text) if name == "activity_type" else text.lower()


def _known(inputs: Inputs, name: str) -> str:
    return ", ".join(inputs.categories[name])


@contextmanager
def _output(to: Path | None) -> Iterator[Write]:
    """What writes a batch, its columns that the model uses, and their predictions."""
    if to is None:
        yield _csv_writer(_print if sys.stdout.isatty() else sys.stdout.buffer.write)
        return
    with replacing(to) as file:
        if to.suffix.lower() == SUFFIXES[0]:
            yield _csv_writer(file.write)
            return
        writer: pq.ParquetWriter | None = None

        def write(batch: Batch, days: pd.DataFrame, predicted: pd.DataFrame) -> None:
            nonlocal writer
            table = _table(batch, days, predicted)
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)

        yield write
        if writer is not None:
            writer.close()


def _csv_writer(write: Callable[[bytes], object]) -> Write:
    def write_batch(batch: Batch, _days: pd.DataFrame, predicted: pd.DataFrame) -> None:
        table = _with_predictions(decoded(batch.rows), predicted)
        try:
            lines = safe_lines(table)
        except pa.ArrowException as error:
            reason = " ".join(str(error).split())
            raise SourceError(f"{batch.name} cannot be written as CSV: {reason}") from error
        if not batch.before:
            lines[:0] = safe_lines(pa.table({name: [name] for name in table.schema.names}))
        write("".join(f"{line}\n" for line in lines).encode())

    return write_batch


def _print(text: bytes) -> None:
    for line in text.decode().splitlines():
        say(line)


def _table(batch: Batch, days: pd.DataFrame, predicted: pd.DataFrame) -> pa.Table:
    """The columns of a batch and its predictions; what the model uses of a CSV is numbers."""
    columns = decoded(batch.rows)
    numbers = {
        name: pa.array(days[name], from_pandas=True)
        for name in map(str, days.select_dtypes("number"))
        if not is_numeric(columns[name].type)
    }
    return _with_predictions(columns | numbers, predicted)


def _with_predictions(columns: dict[str, pa.Array], predicted: pd.DataFrame) -> pa.Table:
    return pa.table(columns | {name: pa.array(predicted[name]) for name in predicted})
