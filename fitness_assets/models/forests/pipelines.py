"""What the pipelines of both forest models share: from named features to a packed forest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitness_assets.models.disclosure import SMALLEST_CELL, bounds
from fitness_assets.models.forest_metrics import FeatureRange, Inputs
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.models.forests.residual_regressor import ResidualRegressor

#: Categorical features.
CATEGORIES = ("activity_type", "sex")
#: The category of a missing value.
UNKNOWN = "unknown"


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """Add ``steps_above_usual``: the day's steps minus the user's mean of the 28 days before."""
    # Missing categories arrive as None, NaN or NA; make them all NaN.
    names = {
        name: days[name].astype(object).where(days[name].notna(), np.nan)
        for name in CATEGORIES
        if name in days
    }
    return days.assign(**names, steps_above_usual=days["steps"] - days["steps_mean_28d"])


def pipeline(
    features: Sequence[str],
    estimator: Any,
    history: Sequence[str] = (),
    without_history: Any = None,
) -> Pipeline:
    """The untrained pipeline from `features` to `estimator`.

    Parameters
    ----------
    features : sequence of str
        Columns of `frame`.
    estimator : estimator
    history : sequence of str, optional
        Those of `features` that describe a user's history. The last is the offset, in the unit of
        the target: where it is known, `estimator` predicts the difference from it.
    without_history : estimator, optional
        Predicts the target for rows without an offset; needed if there is `history`.
    """
    number = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    # A form offers only categories that the model was trained on. A category that is new in a
    # batch is encoded as none of them.
    category = Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value=UNKNOWN)),
            ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )
    numbers = [name for name in features if name not in CATEGORIES and name not in history]
    columns = [
        ("categories", category, [name for name in features if name in CATEGORIES]),
        ("numbers", number, numbers),
    ]
    if history:
        *others, offset = history
        unchanged = StandardScaler(with_mean=False, with_std=False)
        columns += [("history", clone(number), others), ("offset", unchanged, [offset])]
        estimator = ResidualRegressor(estimator, without_history, len(history))
    # A step without columns is never fitted, and cannot be stored.
    columns = [column for column in columns if column[2]]
    return Pipeline([("features", ColumnTransformer(columns)), ("estimator", estimator)])


def pack(model: Pipeline) -> None:
    """Replace the forests at the end of `model` by their packed form, in place."""
    last = model[-1]
    if isinstance(last, ResidualRegressor):
        last.residual = PackedForest.of(last.residual)
        last.without_history = PackedForest.of(last.without_history)
    else:
        model.steps[-1] = (model.steps[-1][0], PackedForest.of(last))


def packed(model: Pipeline) -> tuple[PackedForest, ...]:
    """The packed forests at the end of `model`: one, or two if one is for rows without history."""
    last = model[-1]
    return (last.residual, last.without_history) if isinstance(last, ResidualRegressor) else (last,)


def packed_bytes(model: Pipeline) -> int:
    """Bytes of the packed forests of `model` on disk."""
    return sum(len(forest.to_bytes()) for forest in packed(model))


def inputs(train: pd.DataFrame, features: Sequence[str], people: int = SMALLEST_CELL) -> Inputs:
    """The features, and the values that they have in the training rows.

    Ranges are those that at least `people` users reach on either side.
    """
    numbers = [name for name in features if name not in CATEGORIES]
    return Inputs(
        features=list(features),
        categories={
            name: sorted(train[name].dropna().unique()) for name in features if name in CATEGORIES
        },
        ranges={name: _range(train[name], train["user_id"], people) for name in numbers},
    )


def _range(values: pd.Series, users: pd.Series, people: int) -> FeatureRange:
    known = values.astype(float)
    median = float(known.median())
    # Among fewer users than that, only the median is known.
    low, high = (median if np.isnan(end) else end for end in bounds(known, users, people))
    return FeatureRange(minimum=min(low, median), median=median, maximum=max(high, median))
