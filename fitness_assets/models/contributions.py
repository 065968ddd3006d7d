"""One estimate as a sum: a typical day, and what each input added to it.

See `forests.attribution` for how the amounts are calculated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.forests import attribution
from fitness_assets.models.prediction import Record, feature_row, feature_rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Explanation:
    """An estimate: the sum of `typical` and of `added`.

    Attributes
    ----------
    label : str
        The class whose probability is explained; empty for a regressor.
    estimate : float
        In the unit of the target, or a probability.
    typical : float
        The estimate for a typical day: the median of each number, and each known category.
    added : dict of str to float
        By input, the largest amount first. An input that is missing adds 0.
    values : dict of str to float, str or None
        Value of each input; None if it is missing.
    """

    label: str
    estimate: float
    typical: float
    added: Mapping[str, float]
    values: Mapping[str, float | str | None]


def explain_activity(model: "Pipeline", metrics: ClassifierMetrics, record: Record) -> Explanation:
    """What each input adds to the probability of the most probable activity.

    Parameters and errors are those of `prediction.predict_activity`.
    """
    row = feature_row(metrics.inputs, record)
    label, found = attribution.of_class(model, row)
    return _explanation(found, row, label)


def explain_calories(model: "Pipeline", metrics: RegressorMetrics, record: Record) -> Explanation:
    """What each input adds to the estimated energy of a day.

    Parameters and errors are those of `prediction.predict_calories`.
    """
    row = feature_row(metrics.inputs, record)
    return _explanation(attribution.of_regressor(model, row), row)


def explain_calories_of_day(
    model: "Pipeline", metrics: RegressorMetrics, day: pd.DataFrame
) -> Explanation:
    """What each input adds to the estimated energy of a day of the lake.

    Parameters
    ----------
    model : Pipeline
    metrics : RegressorMetrics
        Of the model.
    day : DataFrame
        One row with the columns of the lake.
    """
    row = feature_rows(metrics.inputs, day)
    return _explanation(attribution.of_regressor(model, row), row)


def _explanation(found: attribution.Attribution, row: pd.DataFrame, label: str = "") -> Explanation:
    added = dict(sorted(found.added.items(), key=lambda item: -abs(item[1])))
    own = row.iloc[0]
    return Explanation(
        label=label,
        estimate=found.output,
        typical=found.reference,
        added=added,
        values={name: None if pd.isna(own[name]) else own[name] for name in added},
    )
