"""Stage 3: the calorie regressor of a month, learned from its trailing window."""

from typing import Any

import dagster as dg
import pandas as pd

from fitness_assets.assets.forest import scores_of, shown
from fitness_assets.assets.model import (
    Attributes,
    Learned,
    Outputs,
    Recipe,
    attributes,
    forest_budget,
    materialize,
)
from fitness_assets.models.forests import calories
from fitness_assets.workspace import Workspace


def build(months: dg.PartitionsDefinition[str], disk: int, memory: int) -> dg.AssetsDefinition:
    """The `calorie_regressor` asset over `months`, which may take so many bytes."""

    def learn(days: pd.DataFrame) -> Learned:
        return *calories.learn(days, forest_budget(disk)), {}

    recipe = Recipe(calories.COLUMNS, learn, _show, disk, memory, by_segment=True)

    @dg.asset(**attributes("calorie_regressor", months, "randomforest", ["segment_model"]))
    def calorie_regressor(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Outputs:
        """Random forest: the day, the person and their past to kcal, with an interval.

        Scored on users it has not seen, beside the mean and a linear model. The smallest forest
        that predicts about as well as the best, packed. A model that fails a check is not
        released.
        """
        yield from materialize(context, workspace, recipe)

    return calorie_regressor


def _show(metrics: dict[str, Any]) -> Attributes:
    return {
        "scores_on_unseen_users": scores_of(
            metrics, ["r2", "mae", "rmse"], "mean", {"linear": metrics["linear"]}
        ),
        **shown(metrics),
    }
