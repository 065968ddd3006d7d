"""Predictions for a form, one record at a time, and for the days of a user."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fitness_assets.models.forest_metrics import ClassifierMetrics, Inputs, RegressorMetrics
from fitness_assets.models.forests import activity, calories, pipelines

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Values of features, by name. A feature that is left out or None is imputed, by the median or the
#: category of missing values; without history features the cold-start model predicts.
Record = Mapping[str, float | str | None]

# Features that are computed from others of a form.
_DERIVED = ("steps_above_usual", "calories_burned_mean_7d")


@dataclass(frozen=True)
class ActivityPrediction:
    """The predicted activity of a day.

    Attributes
    ----------
    probabilities : dict of str to float
        By activity, most probable first.
    out_of_range : list of str
        Features whose value lies outside the training range.
    """

    probabilities: dict[str, float]
    out_of_range: list[str]


@dataclass(frozen=True)
class CaloriesPrediction:
    """The predicted energy of a day.

    Attributes
    ----------
    kcal : float
    low, high : float
        The interval that covers `evaluation.COVERAGE` of such days.
    out_of_range : list of str
        Features whose value lies outside the training range.
    """

    kcal: float
    low: float
    high: float
    out_of_range: list[str]


def form_features(inputs: Inputs) -> list[str]:
    """The features that a form asks for; others are derived from these, or only a lake has them."""
    return [
        name
        for name in inputs.features
        if not name.startswith(activity.PAST) and name not in _DERIVED
    ]


def predict_activity(
    model: "Pipeline", metrics: ClassifierMetrics, record: Record
) -> ActivityPrediction:
    """Predict the activity of a day.

    Parameters
    ----------
    model : Pipeline
    metrics : ClassifierMetrics
        Of the model.
    record : mapping
        Features by name.

    Raises
    ------
    ValueError
        If a category is not one that the model was trained on.
    """
    row = feature_row(metrics.inputs, record)
    shares = zip(model.classes_, model.predict_proba(row)[0], strict=True)
    ordered = sorted(shares, key=lambda pair: -pair[1])
    return ActivityPrediction(
        {str(name): float(share) for name, share in ordered}, _out_of_range(metrics.inputs, record)
    )


def predict_calories(
    model: "Pipeline", metrics: RegressorMetrics, record: Record
) -> CaloriesPrediction:
    """Predict the energy of a day.

    Parameters
    ----------
    model : Pipeline
    metrics : RegressorMetrics
        Of the model.
    record : mapping
        Features by name.

    Raises
    ------
    ValueError
        If a category is not one that the model was trained on.
    """
    row = feature_row(metrics.inputs, record)
    predicted = model.predict(row)
    low, high = calories.bounds(metrics, row, predicted)
    outside = _out_of_range(metrics.inputs, record)
    return CaloriesPrediction(float(predicted[0]), float(low[0]), float(high[0]), outside)


def predict_calories_of_days(
    model: "Pipeline", metrics: RegressorMetrics, days: pd.DataFrame
) -> pd.DataFrame:
    """Predict the energy of each day.

    Parameters
    ----------
    model : Pipeline
    metrics : RegressorMetrics
        Of the model.
    days : DataFrame
        Columns of the lake. Missing features are imputed.

    Returns
    -------
    DataFrame
        ``expected`` kcal, and ``low`` and ``high``, the interval that covers `evaluation.COVERAGE`
        of such days; indexed as `days`.
    """
    rows = calories.frame(days).reindex(columns=metrics.inputs.features)
    predicted = model.predict(rows.astype(dict.fromkeys(metrics.inputs.ranges, float)))
    low, high = calories.bounds(metrics, rows, predicted)
    return pd.DataFrame({"expected": predicted, "low": low, "high": high}, index=days.index)


def feature_row(inputs: Inputs, record: Record) -> pd.DataFrame:
    """The row that a forest with these inputs is given for `record`.

    Raises
    ------
    ValueError
        If a category is not one that the model was trained on.
    """
    for name, known in inputs.categories.items():
        value = record.get(name)
        if value is not None and value not in known:
            raise ValueError(f"{value!r} is not a {name} this model knows: {', '.join(known)}")
    values = {name: np.nan if value is None else value for name, value in record.items()}
    values.setdefault("calories_burned_mean_7d", values.get(calories.OFFSET, np.nan))
    # `steps_above_usual` is computed from these two.
    pair = {name: values.get(name, np.nan) for name in ("steps", "steps_mean_28d")}
    row = pipelines.frame(pd.DataFrame([values | pair])).reindex(columns=inputs.features)
    return row.astype(dict.fromkeys(inputs.ranges, float))


def _out_of_range(inputs: Inputs, record: Record) -> list[str]:
    return [
        name
        for name, value in record.items()
        if isinstance(value, int | float)
        and (known := inputs.ranges.get(name))
        and not known.minimum <= value <= known.maximum
    ]
