"""The pipelines that both forests share: from named features to a packed forest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets.models.forests.residual_regressor import ResidualRegressor

#: Features that are names and not numbers.
CATEGORIES = ("activity_type", "sex")
#: What an unknown one is called.
UNKNOWN = "unknown"


def frame(days: pd.DataFrame) -> pd.DataFrame:
    """Add ``steps_above_usual``: the steps of the day less the person's mean of the days before."""
    # What is not known is one thing, by whichever of its names it comes.
    names = {
        name: days[name].astype(object).where(days[name].notna(), np.nan)
        for name in CATEGORIES
        if name in days
    }
    return days.assign(**names, steps_above_usual=days["steps"] - days["steps_mean_28d"])


def pipeline(
    features: Sequence[str], estimator: Any, past: Sequence[str] = (), without: Any = None
) -> Pipeline:
    """The untrained pipeline from `features` to `estimator`.

    Parameters
    ----------
    features : sequence of str
        Columns of `frame`.
    estimator : estimator
    past : sequence of str, optional
        Those of `features` that only a past tells. The last is in the unit of the target: the
        deviation from it is learned where it is known.
    without : estimator, optional
        Learns the target for who has no past.
    """
    number = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    # A form that offers the model's own categories never meets one that it has not seen; in a
    # batch such a one counts as none of them.
    category = Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value=UNKNOWN)),
            ("encode", OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
        ]
    )
    numbers = [name for name in features if name not in CATEGORIES and name not in past]
    columns = [
        ("categories", category, [name for name in features if name in CATEGORIES]),
        ("numbers", number, numbers),
    ]
    if past:
        *others, offset = past
        as_it_is = StandardScaler(with_mean=False, with_std=False)
        columns += [("past", clone(number), others), ("offset", as_it_is, [offset])]
        estimator = ResidualRegressor(estimator, without, len(past))
    # An unused step could not be stored, for it is never trained.
    columns = [column for column in columns if column[2]]
    return Pipeline([("features", ColumnTransformer(columns)), ("estimator", estimator)])


def pack(model: Pipeline) -> None:
    """Put the packed form of its forests in place of the forests at the end of `model`."""
    last = model[-1]
    if isinstance(last, ResidualRegressor):
        last.regressor, last.without = map(PackedForest.of, (last.regressor, last.without))
    else:
        model.steps[-1] = (model.steps[-1][0], PackedForest.of(last))


def packed(model: Pipeline) -> tuple[PackedForest, ...]:
    """The packed forests at the end of `model`: one, or also one for who has no past."""
    last = model[-1]
    return (last.regressor, last.without) if isinstance(last, ResidualRegressor) else (last,)


def packed_bytes(model: Pipeline) -> int:
    """Bytes of `packed` on disk."""
    return sum(len(forest.to_bytes()) for forest in packed(model))


def inputs(train: pd.DataFrame, features: Sequence[str]) -> dict[str, Any]:
    """What a form may offer: ``features``, the ``categories`` learned, and what was ``seen``.

    Of each number the lowest, median and highest.
    """
    numbers = [name for name in features if name not in CATEGORIES]
    quantiles = train[numbers].astype(float).quantile([0.0, 0.5, 1.0])
    return {
        "features": list(features),
        "categories": {
            name: sorted(train[name].dropna().unique()) for name in features if name in CATEGORIES
        },
        "seen": {name: [float(value) for value in quantiles[name]] for name in numbers},
    }
