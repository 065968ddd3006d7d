"""Inputs that are computed from other inputs of the same row, as a step of a pipeline.

A form and a batch give the raw inputs; the pipeline that trains computes the rest in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from fitness_assets.models.datasets import with_columns

#: kcal of a recorded day are rounded to multiples of this before anything is computed from them. A
#: device measures them no more exactly, and the fraction of a synthetic day's kcal would reveal how
#: it was computed from the steps, and so the activity.
KCAL_STEP = 10

# Net energy of walking: 0.1 ml of oxygen per kg and metre (ACSM's Guidelines for Exercise Testing
# and Prescription).
_WALKING_KCAL_PER_KG_KM = 0.5
# Digestion adds a tenth to the basal rate (Westerterp, Nutr Metab 1:5, 2004).
_DIGESTION = 1.1
# Below these a quotient says nothing.
_MIN_STEPS, _MIN_MINUTES, _MIN_KCAL = 100.0, 5.0, 500.0
# No user of the lake weighs less; a form or a file may say 0.
_MIN_WEIGHT = 2.0
# A day has at most this many times the usual steps; more would be extrapolated without limit.
_MAX_TIMES_USUAL = 3.0

Values = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class DerivedInput:
    """One derived input: the inputs that it needs, and its formula of their values."""

    needs: tuple[str, ...]
    formula: Callable[[Values], np.ndarray]


_BODY = ("weight_kg", "height_cm", "age", "sex")


def _basal(of: Values) -> np.ndarray:
    """Basal kcal of a day by Mifflin-St Jeor (Am J Clin Nutr 51:241, 1990)."""
    basal: np.ndarray = 10 * of("weight_kg") + 6.25 * of("height_cm") - 5 * of("age") + of("sex")
    return basal


def _walking(of: Values) -> np.ndarray:
    return _WALKING_KCAL_PER_KG_KM * of("weight_kg") * of("distance_km")


def _exercise(of: Values) -> np.ndarray:
    """Energy per kg above that of rest, digestion and walking."""
    rest = _DIGESTION * _basal(of) + _walking(of)
    exercise: np.ndarray = (of("calories_burned") - rest) / np.maximum(of("weight_kg"), _MIN_WEIGHT)
    return exercise


def _reserve(of: Values) -> np.ndarray:
    """Share of the heart rate reserve; the maximum by Tanaka et al. (JACC 37:153, 2001)."""
    resting = of("resting_heart_rate")
    reserve = np.maximum(208 - 0.7 * of("age") - resting, 1)
    return (of("heart_rate_avg") - resting) / reserve


def _usual_rate(of: Values) -> np.ndarray:
    """The usual kcal, in proportion to the steps of the day."""
    times = of("steps") / np.maximum(of("steps_mean_28d"), _MIN_STEPS)
    return of("calories_burned_mean_28d") * np.minimum(times, _MAX_TIMES_USUAL)


#: The derived inputs by name.
DERIVED = {
    "metres_per_step": DerivedInput(
        ("distance_km", "steps"),
        lambda of: 1000 * of("distance_km") / np.maximum(of("steps"), _MIN_STEPS),
    ),
    "steps_per_active_minute": DerivedInput(
        ("steps", "active_minutes"),
        lambda of: of("steps") / np.maximum(of("active_minutes"), _MIN_MINUTES),
    ),
    "heart_rate_above_resting": DerivedInput(
        ("heart_rate_avg", "resting_heart_rate"),
        lambda of: of("heart_rate_avg") - of("resting_heart_rate"),
    ),
    "heart_rate_reserve": DerivedInput(("heart_rate_avg", "resting_heart_rate", "age"), _reserve),
    "basal_kcal": DerivedInput(_BODY, _basal),
    "walking_kcal": DerivedInput(("weight_kg", "distance_km"), _walking),
    "weight_active_minutes": DerivedInput(
        ("weight_kg", "active_minutes"), lambda of: of("weight_kg") * of("active_minutes")
    ),
    # Where no weight is known, the usual kcal reflect the size of the body.
    "kcal_active_minutes": DerivedInput(
        ("calories_burned_mean_28d", "active_minutes"),
        lambda of: of("calories_burned_mean_28d") * of("active_minutes"),
    ),
    "kcal_at_usual_rate": DerivedInput(
        ("calories_burned_mean_28d", "steps", "steps_mean_28d"), _usual_rate
    ),
    "kcal_above_usual": DerivedInput(
        ("calories_burned", "calories_burned_mean_28d"),
        lambda of: of("calories_burned") - of("calories_burned_mean_28d"),
    ),
    "kcal_over_basal": DerivedInput(
        ("calories_burned", *_BODY),
        lambda of: of("calories_burned") / np.maximum(_basal(of), _MIN_KCAL),
    ),
    "exercise_kcal_per_kg": DerivedInput(("calories_burned", "distance_km", *_BODY), _exercise),
    "exercise_kcal_per_active_minute": DerivedInput(
        ("calories_burned", "distance_km", "active_minutes", *_BODY),
        lambda of: _exercise(of) / np.maximum(of("active_minutes"), _MIN_MINUTES),
    ),
}

#: The constant of `_basal` by sex, and without a sex.
BASAL_CONSTANTS, NO_SEX = {"male": 5.0, "female": -161.0}, -78.0


def available(features: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those of the derived inputs `names` whose inputs are all among `features`."""
    return [name for name in names if set(DERIVED[name].needs) <= set(features)]


class DerivedInputs(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Add derived inputs to the raw inputs.

    For a derived input a missing number counts as the median of the training rows.

    Parameters
    ----------
    names : list of str
        Keys of `DERIVED`.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
        The raw inputs.
    medians_ : ndarray of shape (n_features_in_,)
        NaN for categories.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def fit(self, rows: pd.DataFrame, _target: object = None) -> Self:
        """Find the medians of the numbers.

        Parameters
        ----------
        rows : DataFrame
        """
        self.feature_names_in_ = np.array(rows.columns, dtype=object)
        self.n_features_in_ = len(rows.columns)
        numbers = _rounded(rows).select_dtypes("number").astype(float)
        self.medians_ = numbers.median().reindex(rows.columns).to_numpy()
        return self

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add the columns `names`, and round ``calories_burned``.

        Parameters
        ----------
        rows : DataFrame
            With the columns `feature_names_in_`.
        """
        rows = _rounded(rows)
        of = self._values(rows)
        return with_columns(rows, {name: DERIVED[name].formula(of) for name in self.names})

    def values(self, rows: pd.DataFrame) -> Values:
        """The values of the inputs of `rows` by name, as formulas take them: none is missing."""
        return self._values(_rounded(rows))

    def _values(self, rows: pd.DataFrame) -> Values:
        medians = dict(zip(self.feature_names_in_, self.medians_, strict=True))

        @cache
        def of(name: str) -> np.ndarray:
            if name == "sex":
                constants = rows[name].map(BASAL_CONSTANTS)
                return constants.to_numpy(dtype=float, na_value=NO_SEX)
            values = rows[name].to_numpy(dtype=float, na_value=np.nan)
            return np.where(np.isnan(values), medians[name], values)

        return of

    def __setstate__(self, state: dict[str, object]) -> None:
        names = state.get("names")
        if not isinstance(names, list) or not set(names) <= DERIVED.keys():
            raise ValueError("DerivedInputs of another version; rematerialize its month")
        super().__setstate__(state)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "medians_")


def _rounded(rows: pd.DataFrame) -> pd.DataFrame:
    if "calories_burned" not in rows:
        return rows
    kcal = (rows["calories_burned"] / KCAL_STEP).round() * KCAL_STEP
    return with_columns(rows, {"calories_burned": kcal})
