"""What a consumer asks of the models: one record in, an answer with what to make of it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fitness_assets.models.forests import activity, calories, pipelines

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: What is known of a day and a person, by the names of the features. What is left out, or None, is
#: taken to be as usual among the people learned from; of a past it is taken that there is none.
Record = Mapping[str, float | str | None]


@dataclass(frozen=True)
class Recognised:
    """Probability of each activity, most probable first, and the inputs outside what was seen."""

    probabilities: dict[str, float]
    extrapolated: list[str]


@dataclass(frozen=True)
class Estimate:
    """kcal of the day, the interval that holds 90 of 100 such days, and inputs outside the seen."""

    kcal: float
    low: float
    high: float
    extrapolated: list[str]


def asked(metrics: Mapping[str, Any]) -> list[str]:
    """The features that a person can be asked for; the others follow from these or from a lake."""
    return [
        name
        for name in metrics["features"]
        if not name.startswith(activity.PAST) and name not in _FOLLOW
    ]


def recognise(model: "Pipeline", metrics: Mapping[str, Any], record: Record) -> Recognised:
    """Recognise the activity of a day.

    Parameters
    ----------
    model, metrics
        The classifier and its metrics, as released together.
    record : mapping
        Features by name.

    Raises
    ------
    ValueError
        If a category is not one that the model has learned.
    """
    row = activity.without_fraction(_row(metrics, record))
    shares = zip(model.classes_, model.predict_proba(row)[0], strict=True)
    ordered = sorted(shares, key=lambda pair: -pair[1])
    return Recognised(
        {str(name): float(share) for name, share in ordered},
        _outside(record, metrics["seen"]),
    )


def estimate_calories(model: "Pipeline", metrics: Mapping[str, Any], record: Record) -> Estimate:
    """Estimate the energy of a day.

    Parameters
    ----------
    model, metrics
        The regressor and its metrics, as released together.
    record : mapping
        Features by name.

    Raises
    ------
    ValueError
        If a category is not one that the model has learned.
    """
    row = _row(metrics, record)
    predicted = model.predict(row)
    low, high = calories.bounds(metrics, row, predicted)
    outside = _outside(record, metrics["seen"])
    return Estimate(float(predicted[0]), float(low[0]), float(high[0]), outside)


def expect_calories(
    model: "Pipeline", metrics: Mapping[str, Any], days: pd.DataFrame
) -> pd.DataFrame:
    """What the energy of days is expected to be.

    Parameters
    ----------
    model, metrics
        The regressor and its metrics, as released together.
    days : DataFrame
        Columns of the lake. What is missing is taken to be as usual among the people learned from.

    Returns
    -------
    DataFrame
        ``expected`` kcal, and ``low`` and ``high``, between which nine of ten such days lie;
        indexed as `days`.
    """
    rows = calories.frame(days).reindex(columns=metrics["features"])
    predicted = model.predict(rows.astype(dict.fromkeys(metrics["seen"], float)))
    low, high = calories.bounds(metrics, rows, predicted)
    return pd.DataFrame({"expected": predicted, "low": low, "high": high}, index=days.index)


# How a form's answers give what it does not ask for.
_FOLLOW = ("steps_above_usual", "calories_burned_mean_7d")


def _row(metrics: Mapping[str, Any], record: Record) -> pd.DataFrame:
    for name, known in metrics["categories"].items():
        value = record.get(name)
        if value is not None and value not in known:
            raise ValueError(f"{value!r} is not a {name} this model knows: {', '.join(known)}")
    told = {name: np.nan if value is None else value for name, value in record.items()}
    told.setdefault("calories_burned_mean_7d", told.get(calories.OFFSET, np.nan))
    pair = {name: told.get(name, np.nan) for name in ("steps", "steps_mean_28d")}
    row = pipelines.frame(pd.DataFrame([told | pair])).reindex(columns=metrics["features"])
    return row.astype(dict.fromkeys(metrics["seen"], float))


def _outside(record: Record, seen: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that lie outside the range of the rows learned from."""
    return [
        name
        for name, value in record.items()
        if name in seen
        and isinstance(value, int | float)
        and not seen[name][0] <= value <= seen[name][-1]
    ]
