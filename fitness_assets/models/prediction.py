"""Predictions for a form, one record at a time, and for the days of a table."""

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

#: The feature that is computed from the steps and their usual number.
STEPS_ABOVE_USUAL = "steps_above_usual"
# Features that are computed from others of a form.
_DERIVED = (STEPS_ABOVE_USUAL, "calories_burned_mean_7d")


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
    predicted, low, high = _calories(model, metrics, feature_row(metrics.inputs, record))
    outside = _out_of_range(metrics.inputs, record)
    return CaloriesPrediction(float(predicted[0]), float(low[0]), float(high[0]), outside)


def predict_activity_of_days(
    model: "Pipeline", metrics: ClassifierMetrics, days: pd.DataFrame
) -> pd.DataFrame:
    """Predict the probabilities of the activities of each day.

    Parameters
    ----------
    model : Pipeline
    metrics : ClassifierMetrics
        Of the model.
    days : DataFrame
        See `feature_rows`.

    Returns
    -------
    DataFrame
        A column for each activity; indexed as `days`.
    """
    probabilities = model.predict_proba(feature_rows(metrics.inputs, days))
    return pd.DataFrame(probabilities, columns=model.classes_.astype(str), index=days.index)


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
        See `feature_rows`.

    Returns
    -------
    DataFrame
        ``expected`` kcal, and ``low`` and ``high``, the interval that covers `evaluation.COVERAGE`
        of such days; indexed as `days`.
    """
    predicted, low, high = _calories(model, metrics, feature_rows(metrics.inputs, days))
    return pd.DataFrame({"expected": predicted, "low": low, "high": high}, index=days.index)


def _calories(
    model: "Pipeline", metrics: RegressorMetrics, rows: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The predicted kcal of rows of features, and the bounds of their intervals."""
    predicted = model.predict(rows)
    return predicted, *calories.bounds(metrics, rows, predicted)


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
    return feature_rows(inputs, pd.DataFrame([values], index=[0]))


def feature_rows(inputs: Inputs, days: pd.DataFrame) -> pd.DataFrame:
    """The rows that a forest with these inputs is given for `days`.

    Parameters
    ----------
    inputs : Inputs
    days : DataFrame
        Columns of the lake, any of which may be absent or have missing values; these are imputed.
        ``steps_above_usual`` is computed. Without a column ``calories_burned_mean_7d``, the mean of
        28 days is used for it.
    """
    absent = [name for name in ("steps", "steps_mean_28d") if name not in days]
    days = days.assign(**dict.fromkeys(absent, np.nan))
    if "calories_burned_mean_7d" not in days and calories.OFFSET in days:
        days = days.assign(calories_burned_mean_7d=days[calories.OFFSET])
    rows = pipelines.frame(days).reindex(columns=inputs.features)
    return rows.astype(
        dict.fromkeys(inputs.categories, object) | dict.fromkeys(inputs.ranges, float)
    )


def used_columns(inputs: Inputs) -> list[str]:
    """The columns that the features of a model are computed from. See `feature_rows`."""
    needed = {"steps", "steps_mean_28d"} if STEPS_ABOVE_USUAL in inputs.features else set()
    features = [name for name in inputs.features if name != STEPS_ABOVE_USUAL]
    return [*features, *sorted(needed.difference(features))]


def out_of_range(inputs: Inputs, days: pd.DataFrame) -> dict[str, np.ndarray]:
    """Where the values of `days` lie outside the values that a model was trained on.

    Parameters
    ----------
    inputs : Inputs
    days : DataFrame
        See `feature_rows`.

    Returns
    -------
    dict of str to ndarray of bool, shape (n,)
        By feature. Missing values, and features that `days` lacks or that are computed, are not
        outside.
    """
    outside = {}
    for name in inputs.features:
        if name not in days or name == STEPS_ABOVE_USUAL:
            continue
        values = days[name]
        if name in inputs.categories:
            outside[name] = (values.notna() & ~values.isin(inputs.categories[name])).to_numpy()
        else:
            numbers, known = values.to_numpy(dtype=float, na_value=np.nan), inputs.ranges[name]
            outside[name] = (numbers < known.minimum) | (numbers > known.maximum)
    return outside


def _out_of_range(inputs: Inputs, record: Record) -> list[str]:
    values = pd.DataFrame([record], index=[0])
    return [name for name, outside in out_of_range(inputs, values).items() if outside[0]]
