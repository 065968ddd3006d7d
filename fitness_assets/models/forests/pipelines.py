"""What the pipelines of both forest models share: from named features to a packed forest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitness_assets.models.datasets import with_columns
from fitness_assets.models.disclosure import SMALLEST_CELL, column_bounds
from fitness_assets.models.forest_metrics import FeatureRange, Inputs
from fitness_assets.models.forests.binned import fit_binned
from fitness_assets.models.forests.derived_inputs import DERIVED, DerivedInputs, available
from fitness_assets.models.forests.leaf_people import merge_small_leaves
from fitness_assets.models.forests.packed.estimator import PackedForest

#: Categorical features.
CATEGORIES = ("activity_type", "sex")
#: The category of a missing value.
UNKNOWN = "unknown"
# Rows that medians and spreads are computed on; those of more rows are about the same.
_ENCODER_ROWS = 20_000


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """Add ``steps_above_usual``: the day's steps minus the user's mean of the 28 days before."""
    # Missing categories arrive as None, NaN or NA; make them all NaN.
    names = {
        name: days[name].astype(object).where(days[name].notna(), np.nan)
        for name in CATEGORIES
        if name in days
    }
    above = {"steps_above_usual": days["steps"] - days["steps_mean_28d"]}
    return with_columns(days, names | above)


@dataclass(frozen=True)
class Encoded:
    """Rows as the estimator at the end of a pipeline gets them.

    Attributes
    ----------
    features : ndarray of shape (n, m)
    target : ndarray of shape (n,)
    users : ndarray of shape (n,)
        The user of each row.
    """

    features: np.ndarray
    target: np.ndarray
    users: np.ndarray

    def where(self, rows: np.ndarray) -> "Encoded":
        """The rows of a mask or of positions."""
        return Encoded(self.features[rows], self.target[rows], self.users[rows])


def encoder(
    features: Sequence[str], derived: Sequence[str], history: Sequence[str] = ()
) -> Pipeline:
    """The untrained steps before the estimator: derived inputs, imputation, scaling, categories.

    Parameters
    ----------
    features : sequence of str
        Columns of `frame`.
    derived : sequence of str
        Keys of `derived_inputs.DERIVED`; those that `features` do not suffice for are left out.
    history : sequence of str, optional
        Those of `features` that describe a user's history. The last is the offset, in the unit of
        the target. They are encoded last, `history_columns` of them, and then the offset as it is.
    """
    names = available(features, derived)
    late = [*history, *(name for name in names if set(DERIVED[name].needs) & set(history))]
    number = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    # A form offers only categories that the model was trained on. A category that is new in a
    # batch is encoded as none of them.
    category = Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value=UNKNOWN)),
            ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )
    numbers = [name for name in [*features, *names] if name not in (*CATEGORIES, *late)]
    columns = [
        ("categories", category, [name for name in features if name in CATEGORIES]),
        ("numbers", number, numbers),
    ]
    if history:
        unchanged = StandardScaler(with_mean=False, with_std=False)
        columns += [("history", clone(number), late), ("offset", unchanged, [history[-1]])]
    # A step without columns is never fitted, and cannot be stored.
    columns = [column for column in columns if column[2]]
    return Pipeline([("derive", DerivedInputs(names)), ("features", ColumnTransformer(columns))])


def fit_encoder(encoder: Pipeline, rows: pd.DataFrame) -> Pipeline:
    """Train the steps before the estimator, on a sample of `rows` that has all of their categories.

    Parameters
    ----------
    encoder : Pipeline
        The result of `encoder`.
    rows : DataFrame
        The features.
    """
    if len(rows) > _ENCODER_ROWS:
        firsts = [rows[~rows[name].duplicated()] for name in CATEGORIES if name in rows]
        rows = pd.concat([rows.sample(_ENCODER_ROWS, random_state=0), *firsts])
    return encoder.fit(rows)


def history_columns(encoder: Pipeline) -> int:
    """The number of encoded features of a user's history before the offset, if any."""
    return sum(len(names) for step, _, names in encoder[-1].transformers if step == "history")


def with_estimator(encoder: Pipeline, estimator: Any) -> Pipeline:
    """The pipeline of a trained encoder and a trained estimator."""
    return Pipeline([*encoder.steps, ("estimator", estimator)])


def encode(encoder: Pipeline, rows: pd.DataFrame, target: str) -> Encoded:
    """`rows`, encoded by a trained encoder."""
    features = encoder.transform(rows[list(encoder.feature_names_in_)])
    return Encoded(features, rows[target].to_numpy(), rows["user_id"].to_numpy())


def predictions(
    model: Pipeline, rows: pd.DataFrame, predict: Callable[[Any, np.ndarray], np.ndarray]
) -> np.ndarray:
    """What `predict` returns for the estimator of `model` and the encoded `rows`."""
    return predict(model[-1], model[:-1].transform(rows[list(model.feature_names_in_)]))


def fit_forest(forest: Any, rows: Encoded, people: int) -> PackedForest:
    """Train a forest of scikit-learn, let each leaf rest on `people` users, and pack it."""
    features = np.ascontiguousarray(rows.features, np.float32)
    fit_binned(forest, features, rows.target)
    merge_small_leaves(forest, features, rows.target, rows.users, people)
    return PackedForest.of(forest)


def packed(model: Pipeline) -> tuple[PackedForest, ...]:
    """The packed forests of `model`: none, one, or two if one is for rows without history."""
    return tuple(_forests(model[-1]))


def _forests(part: Any) -> Iterator[PackedForest]:
    if isinstance(part, PackedForest):
        yield part
    elif isinstance(part, BaseEstimator):
        for name in sorted(part.get_params(deep=False)):
            yield from _forests(getattr(part, name))


def packed_bytes(model: Pipeline) -> int:
    """Bytes of the packed forests of `model` on disk."""
    return sum(len(forest.to_bytes()) for forest in packed(model))


def inputs(train: pd.DataFrame, features: Sequence[str], people: int = SMALLEST_CELL) -> Inputs:
    """The features, and the values that they have in the training rows.

    Ranges are those that at least `people` users reach on either side.
    """
    numbers = [name for name in features if name not in CATEGORIES]
    known = train[numbers].astype(float)
    # Grouping by numbers takes less time than by ids.
    reached = column_bounds(known, pd.factorize(train["user_id"])[0], people)
    medians = known.median()
    return Inputs(
        features=list(features),
        categories={
            name: sorted(train[name].dropna().unique()) for name in features if name in CATEGORIES
        },
        ranges={
            name: _range(float(medians[name]), *ends)
            for name, *ends in zip(numbers, *reached, strict=True)
        },
    )


def _range(median: float, low: float, high: float) -> FeatureRange:
    # Among fewer users than that, only the median is known.
    low, high = (median if np.isnan(end) else float(end) for end in (low, high))
    return FeatureRange(minimum=min(low, median), median=median, maximum=max(high, median))
