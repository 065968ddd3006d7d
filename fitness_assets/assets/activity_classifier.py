"""Stage 3: the activity classifier of a month, learned from its trailing window."""

from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
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
from fitness_assets.assets.presentation import picture, plot
from fitness_assets.models.forests import activity
from fitness_assets.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Share from which a cell of the confusion picture needs white letters.
_DARK = 0.5


def build(months: dg.PartitionsDefinition[str], disk: int, memory: int) -> dg.AssetsDefinition:
    """The `activity_classifier` asset over `months`, which may take so many bytes."""

    def learn(days: pd.DataFrame) -> Learned:
        return *activity.learn(days, forest_budget(disk)), {}

    recipe = Recipe(activity.COLUMNS, learn, _show, disk, memory, by_segment=True)

    @dg.asset(**attributes("activity_classifier", months, "randomforest", ["segment_model"]))
    def activity_classifier(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Outputs:
        """Random forest: a day's readings, and the person's past, to the day's activity.

        Scored on users it has not seen, beside giving every activity its share of the days. The
        smallest forest that predicts about as well as the best, packed. A model that fails a check
        is not released.
        """
        yield from materialize(context, workspace, recipe)

    return activity_classifier


def _show(metrics: dict[str, Any]) -> Attributes:
    names = ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"]
    baseline = f"always {metrics['commonest']}"
    return {
        "scores_on_unseen_users": scores_of(metrics, names, baseline),
        "confusion": picture(_confusion(metrics)),
        **shown(metrics),
    }


def _confusion(metrics: dict[str, Any]) -> "Figure":
    counts = np.array(metrics["confusion"], dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = plot(4, 3.4)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    labels = metrics["labels"]
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="recognised", ylabel="true")
    for row, column in np.ndindex(shares.shape):
        shade = "white" if shares[row, column] > _DARK else "black"
        text = f"{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=shade)
    return figure
