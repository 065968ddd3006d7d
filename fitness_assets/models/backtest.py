"""Models, scored on the month after those that they were trained on."""

from datetime import date

import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.models.datasets import split_by_user
from fitness_assets.models.registry import FORESTS, ModelSpec
from fitness_assets.models.reports import Evaluation, Metrics


def columns() -> list[str]:
    """Columns of `daily_activity` that the backtested models read."""
    names = [name for spec in FORESTS for name in spec.forest().COLUMNS]
    return list(dict.fromkeys(names))


def evaluate(
    spec: ModelSpec, model: Pipeline, metrics: Metrics, days: pd.DataFrame, since: date
) -> Evaluation:
    """Scores of a model on the days from `since` of held-out users.

    Parameters
    ----------
    spec : ModelSpec
        One of `registry.FORESTS`.
    model : Pipeline
    metrics : Metrics
        Of the model.
    days : DataFrame
        `columns` of the window that ends with the month. Days before `since` are history.
    since : date
        The first day after those that the model was trained on.

    Raises
    ------
    NotLearnedError
        If there are too few users with such days.
    """
    forest = spec.forest()
    rows = forest.frame(days)
    test = split_by_user(rows[rows["date"] >= pd.Timestamp(since)], [spec.target]).test
    return forest.evaluate(model, metrics, test)
