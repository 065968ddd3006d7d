"""Models on a month that came after them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.datasets import split_by_user
from fitness_assets.models.forests import activity, calories

#: The models that predict, and so can be wrong about a month.
FORESTS = {"activity_classifier": activity, "calorie_regressor": calories}
#: Columns of `daily_activity` that both read.
COLUMNS = list(dict.fromkeys([*activity.COLUMNS, *calories.COLUMNS]))


def score(
    name: str, model: Pipeline, learned: Mapping[str, Any], days: pd.DataFrame, since: date
) -> dict[str, Any]:
    """Scores of a model on the days from `since` of users held out.

    Parameters
    ----------
    name : str
        A key of `FORESTS`.
    model : Pipeline
    learned : mapping
        Its metrics.
    days : DataFrame
        `COLUMNS` of the window that ends with the month; what comes before `since` is the past of
        its people.
    since : date
        The first day after those that the model learned from.

    Returns
    -------
    dict
        The scores, or a ``reason`` why there are none.
    """
    module = FORESTS[name]
    rows = module.frame(days)
    try:
        test = split_by_user(rows[rows["date"] >= pd.Timestamp(since)], [module.TARGET]).test
    except NotLearnedError as reason:
        return {"reason": str(reason)}
    return {"rows": len(test), **module.score(model, learned, test)}
