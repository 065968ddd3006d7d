"""What a consumer asks of the models: one record in, an answer with what to make of it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.learning import activity, calories


@dataclass(frozen=True)
class Recognised:
    """Probability of each activity, most probable first, and the inputs outside what was seen."""

    probabilities: dict[str, float]
    extrapolated: list[str]


@dataclass(frozen=True)
class Estimate:
    """kcal of the day, and the inputs outside what was seen."""

    kcal: float
    extrapolated: list[str]


def recognise(
    model: Pipeline, metrics: Mapping[str, Any], *, steps: float, kcal: float, heart_rate: float
) -> Recognised:
    """Recognise the activity of a day.

    Parameters
    ----------
    model, metrics
        The classifier and its metrics, as released together.
    steps, kcal, heart_rate
        Count, kcal and beats per minute of the day.
    """
    record = {"steps": steps, "calories_burned": kcal, "heart_rate_avg": heart_rate}
    frame = pd.DataFrame([record], columns=list(activity.FEATURES))
    shares = zip(model.classes_, model.predict_proba(frame)[0], strict=True)
    ordered = sorted(shares, key=lambda pair: -pair[1])
    return Recognised(
        {str(name): float(share) for name, share in ordered},
        _outside(record, metrics["seen"]),
    )


def estimate_calories(  # noqa: PLR0913 - the form's inputs, by name
    model: Pipeline,
    metrics: Mapping[str, Any],
    *,
    activity_type: str,
    steps: float,
    heart_rate: float,
    sleep_hours: float,
) -> Estimate:
    """Estimate the energy of a day.

    Raises
    ------
    ValueError
        If the model has not learned `activity_type`.
    """
    if activity_type not in metrics["categories"]:
        known = ", ".join(metrics["categories"])
        raise ValueError(f"{activity_type!r} is not an activity this model knows: {known}")
    numbers = {"steps": steps, "heart_rate_avg": heart_rate, "sleep_hours": sleep_hours}
    frame = pd.DataFrame([{calories.CATEGORY: activity_type, **numbers}], columns=calories.FEATURES)
    return Estimate(float(model.predict(frame)[0]), _outside(numbers, metrics["seen"]))


def _outside(record: Mapping[str, float], seen: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that lie outside the range of the rows learned from."""
    return [name for name, value in record.items() if not seen[name][0] <= value <= seen[name][-1]]
