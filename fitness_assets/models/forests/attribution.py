"""What each input of a model adds to one of its outputs, compared with a typical day.

The typical day has the median of each number, and each known category in turn: the mean output for
these reference rows is the reference. What an input adds is its Shapley value: the linear part adds
its coefficient times the difference from the reference, the forest adds along its paths (see
`packed.shapley`). What a derived input adds is divided among its inputs in proportion to how much
each changes it. The reference and what the inputs add sum to the output.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from fitness_assets.models.forests.derived_inputs import (
    DERIVED,
    DerivedInput,
    DerivedInputs,
    Values,
)
from fitness_assets.models.forests.packed import shapley
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.models.forests.pipelines import UNKNOWN
from fitness_assets.models.forests.residual_regressor import LinearForest, ResidualRegressor

if TYPE_CHECKING:
    from fitness_assets.models.forests.calibrated_classifier import CalibratedClassifier

# Reference rows. More combinations of categories than this are thinned out.
_MAX_REFERENCES = 64

Array = NDArray[np.float64]


# What `pipelines.frame` computes is divided like a derived input.
_STEPS = DerivedInput(("steps", "steps_mean_28d"), lambda of: of("steps") - of("steps_mean_28d"))


@dataclass(frozen=True)
class Attribution:
    """What the inputs add to an output.

    Attributes
    ----------
    reference : float
        The mean output for the reference rows.
    added : dict of str to float
        By input of the pipeline. An input that is missing in the row adds 0.
    """

    reference: float
    added: dict[str, float]

    @property
    def output(self) -> float:
        """The output for the row."""
        return self.reference + sum(self.added.values())


@dataclass(frozen=True)
class _Encoded:
    """A row and its references, encoded.

    Attributes
    ----------
    row : ndarray of shape (m,)
    references : ndarray of shape (n, m)
    inputs : ndarray of int, shape (m,)
        Number of the input that each column encodes.
    """

    row: Array
    references: Array
    inputs: NDArray[np.intp]

    def columns(self, used: slice) -> "_Encoded":
        return _Encoded(self.row[used], self.references[:, used], self.inputs[used])


def of_regressor(model: Pipeline, row: pd.DataFrame) -> Attribution:
    """What the inputs of `row` add to the prediction.

    Parameters
    ----------
    model : Pipeline
        A `LinearForest` or a `ResidualRegressor` after the steps of `pipelines.encoder`.
    row : DataFrame of shape (1, n_features_in_)
    """
    estimator = model[-1]
    rows, encoded, names = _encode(model, row)
    if isinstance(estimator, LinearForest):
        found = _of_linear_forest(estimator, encoded)
    else:
        found = _of_residual_regressor(estimator, encoded)
    return _attribution(model, rows, names, *found)


def of_class(model: Pipeline, row: pd.DataFrame) -> tuple[str, Attribution]:
    """What the inputs of `row` add to the calibrated probability of the most probable class.

    Calibration is a smooth function of the mean shares of the classes in the leaves. What an input
    adds to these, times the mean derivative of the calibrated probability on the line from the
    reference to the row, is what it adds to the probability (Aumann and Shapley, Values of
    Non-Atomic Games, 1974).

    Parameters
    ----------
    model : Pipeline
        A `CalibratedClassifier` after the steps of `pipelines.encoder`.
    row : DataFrame of shape (1, n_features_in_)

    Returns
    -------
    str
        The class.
    Attribution
    """
    classifier: CalibratedClassifier = model[-1]
    rows, encoded, names = _encode(model, row)
    start, each = _of_forest(classifier.forest, encoded)
    end = start + each.sum(axis=0)
    reference, found = classifier.calibrate(np.stack([start, end]))
    place = int(found.argmax())
    added = each @ classifier.mean_gradient(place, start, end)
    # What the quadrature leaves over is divided like the rest.
    rest = found[place] - reference[place] - added.sum()
    size = np.abs(added)
    if size.any():
        added += rest * size / size.sum()
    label = str(classifier.classes_[place])
    return label, _attribution(model, rows, names, float(reference[place]), added)


def _encode(model: Pipeline, row: pd.DataFrame) -> tuple[pd.DataFrame, _Encoded, list[str]]:
    """The row with its references below it; both encoded; and the names of the encoded inputs."""
    derive, encoder, _ = (step for _, step in model.steps)
    rows = _with_references(derive, encoder, row)
    encoded = model[:-1].transform(rows)
    numbers, names = pd.factorize(pd.Index(_encoded_inputs(encoder)))
    return rows, _Encoded(encoded[0], encoded[1:], numbers), names.tolist()


def _attribution(
    model: Pipeline, rows: pd.DataFrame, names: list[str], reference: float, each: Array
) -> Attribution:
    """`each`, what the encoded inputs `names` add, with derived inputs divided among theirs."""
    derived = {name: DERIVED[name] for name in model[0].names}
    if _has_steps(rows.columns):
        derived["steps_above_usual"] = _STEPS
    added = {name: 0.0 for name in rows.columns if name not in derived}
    values = model[0].values(rows)
    for name, amount in zip(names, each.tolist(), strict=True):
        if name not in derived:
            added[name] += amount
        elif amount:
            shares = _shares(derived[name], values)
            for need, share in zip(derived[name].needs, shares, strict=True):
                added[need] += amount * share
    return Attribution(reference, added)


def _has_steps(names: Iterable[str]) -> bool:
    return {"steps_above_usual", *_STEPS.needs} <= set(names)


def _with_references(
    derive: DerivedInputs, encoder: ColumnTransformer, row: pd.DataFrame
) -> pd.DataFrame:
    """The row, and rows with the medians of the numbers and each combination of known categories.

    What is missing in `row` is missing in them, so that it adds nothing.
    """
    known = {
        name: [each for each in found if each != UNKNOWN]
        for _, step, names in encoder.transformers_
        if _is_categorical(step)
        for name, found in zip(names, step[-1].categories_, strict=True)
    }
    own = row.iloc[0]
    varied = {name: found for name, found in known.items() if found and not pd.isna(own[name])}
    combinations = list(product(*varied.values()))
    combinations = combinations[:: -(-len(combinations) // _MAX_REFERENCES)]
    columns: dict[str, NDArray[Any]] = {}
    for name, median in zip(derive.feature_names_in_, derive.medians_, strict=True):
        if name in varied:
            place = list(varied).index(name)
            typical = [each[place] for each in combinations]
        else:
            missing = pd.isna(own[name]) or name in known
            typical = [own[name] if missing else median] * len(combinations)
        columns[name] = np.array([own[name], *typical], object if name in known else float)
    if _has_steps(columns):
        columns["steps_above_usual"][1:] = _STEPS.formula(columns.__getitem__)[1:]
    return pd.DataFrame(columns)


def _is_categorical(step: Any) -> bool:
    return isinstance(step, Pipeline) and hasattr(step[-1], "categories_")


def _encoded_inputs(encoder: ColumnTransformer) -> list[str]:
    """The input that each encoded column is made from."""
    names: list[str] = []
    for part, step, columns in encoder.transformers_:
        if part == "remainder":
            continue
        widths = (
            [len(known) for known in step[-1].categories_]
            if _is_categorical(step)
            else [1] * len(columns)
        )
        names += [name for name, width in zip(columns, widths, strict=True) for _ in range(width)]
    return names


def _of_residual_regressor(estimator: ResidualRegressor, encoded: _Encoded) -> tuple[float, Array]:
    offset = encoded.row[-1]
    if np.isnan(offset):
        used, part = slice(-estimator.history_features - 1), estimator.without_history
    else:
        used, part = slice(-1), estimator.residual
    reference, each = _of_linear_forest(part, encoded.columns(used))
    added = np.zeros(int(encoded.inputs.max()) + 1)
    added[: len(each)] = each
    if not np.isnan(offset):
        reference += float(encoded.references[:, -1].mean())
        added[encoded.inputs[-1]] += (offset - encoded.references[:, -1]).mean()
    return reference, added


def _of_linear_forest(model: LinearForest, encoded: _Encoded) -> tuple[float, Array]:
    # Exactly 0 for an input that is as in every reference.
    difference = (encoded.row - encoded.references).mean(axis=0)
    terms = np.ravel(model.line.coef_) * difference
    added: Array = np.bincount(encoded.inputs, terms).astype(float)
    reference = float(model.line.predict(encoded.references).mean())
    if model.forest is not None:
        of_forest, each = _of_forest(model.forest, encoded)
        reference, added = reference + float(of_forest[0]), added + each[:, 0]
    return reference, added


def _of_forest(forest: PackedForest, encoded: _Encoded) -> tuple[Array, Array]:
    return shapley.contributions(
        forest.trees_, forest.node_values(), encoded.row, encoded.references, encoded.inputs
    )


def _shares(derived: DerivedInput, values: Values) -> list[float]:
    """The shares of the inputs of a derived input in what it adds; they sum to 1.

    They are proportional to the absolute Shapley values of the inputs in its formula, averaged over
    the references. An input that is as in the references has a share of 0.

    Parameters
    ----------
    derived : DerivedInput
    values : callable
        Gives by name the value in the row, and then in each reference.
    """
    needs = derived.needs
    # Each coalition of the inputs with the row's values, as the bits of its number.
    coalitions = np.arange(1 << len(needs))[:, None] >> np.arange(len(needs)) & 1 > 0
    mixed = {
        need: np.where(coalitions[:, number], values(need)[0], values(need)[1:, None])
        for number, need in enumerate(needs)
    }
    changes = np.abs(_shapley_values(derived.formula(mixed.__getitem__), coalitions)).mean(axis=0)
    total = changes.sum()
    shares: list[float] = (changes / total if total else changes + 1 / len(needs)).tolist()
    return shares


def _shapley_values(values: Array, coalitions: NDArray[np.bool_]) -> Array:
    """Shapley values of k inputs, from the values of all their coalitions.

    Parameters
    ----------
    values : ndarray of shape (n, 2 ** k)
    coalitions : ndarray of bool, shape (2 ** k, k)

    Returns
    -------
    ndarray of shape (n, k)
    """
    count = coalitions.shape[1]
    sizes = coalitions.sum(axis=1)
    found = np.empty((len(values), count))
    for number in range(count):
        without = np.flatnonzero(~coalitions[:, number])
        weights = [_weight(int(size), count) for size in sizes[without]]
        found[:, number] = (values[:, without | 1 << number] - values[:, without]) @ weights
    return found


def _weight(size: int, count: int) -> float:
    return factorial(size) * factorial(count - size - 1) / factorial(count)
