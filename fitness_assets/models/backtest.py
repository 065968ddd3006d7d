"""Models, scored on the month after those that they were trained on."""

from datetime import date

import pandas as pd

from fitness_assets.models.datasets import split_by_user
from fitness_assets.models.disclosure import SMALLEST_CELL
from fitness_assets.models.registry import FORESTS, ModelSpec


def columns() -> list[str]:
    """Columns of `daily_activity` that the backtested models read."""
    names = [name for spec in FORESTS for name in spec.forest().COLUMNS]
    return list(dict.fromkeys(names))


def held_out_days(
    spec: ModelSpec, days: pd.DataFrame, since: date, people: int = SMALLEST_CELL
) -> pd.DataFrame:
    """Rows of the days from `since` of held-out users, to evaluate a model on.

    Parameters
    ----------
    spec : ModelSpec
        One of `registry.FORESTS`.
    days : DataFrame
        `columns` of the window that ends with the month. Days before `since` are history.
    since : date
        The first day after those that the model was trained on.
    people : int
        Users needed, if more than ten.

    Raises
    ------
    NotLearnedError
        If there are too few users with such days.
    """
    rows = spec.forest().frame(days)
    return split_by_user(rows[rows["date"] >= pd.Timestamp(since)], [spec.target], people).test
