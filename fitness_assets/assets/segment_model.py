"""Stage 3: the user segments of a month, learned from its trailing window."""

from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from fitness_assets.assets.model import (
    Attributes,
    Learned,
    Outputs,
    Recipe,
    attributes,
    materialize,
)
from fitness_assets.assets.presentation import BLUE, GREY, ORANGE, metric_table, picture, plot
from fitness_assets.models.explanations import STABLE, habit_advice, segments_verdict
from fitness_assets.models.segments import segmentation
from fitness_assets.months import start
from fitness_assets.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def build(months: dg.PartitionsDefinition[str], disk: int, memory: int) -> dg.AssetsDefinition:
    """The `segment_model` asset over `months`, which may take so many bytes."""

    @dg.asset(**attributes("segment_model", months, "kmeans"))
    def segment_model(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Outputs:
        """K-Means on users' profiles of the window, and the segment of each user of the month.

        Says whether the groups are the same for other users, on other days and in other months.
        Where they are not, they are an arrangement of chance and nothing should be built on them.
        """

        def learn(days: pd.DataFrame) -> Learned:
            month = pd.Timestamp(start(context.partition_key))
            model, table, metrics = segmentation.learn(days, month)
            return model, metrics, {"segments": table}

        recipe = Recipe(segmentation.COLUMNS, learn, _show, disk, memory)
        yield from materialize(context, workspace, recipe)

    return segment_model


def _show(metrics: dict[str, Any]) -> Attributes:
    told: Attributes = {
        "verdict": segments_verdict(metrics),
        "stability_by_number_of_segments": picture(_stability(metrics)),
    }
    if metrics["profiles"]:
        told["segments"] = metric_table(
            [
                {
                    "segment": profile["name"],
                    "users": profile["users"],
                    "advice": habit_advice(profile, metrics),
                }
                for profile in metrics["profiles"]
            ]
        )
    return told


def _stability(metrics: dict[str, Any]) -> "Figure":
    """The indices by number of segments, the least of which counts, and the gap beside them."""
    figure, axes = plot(4.5, 2.6)
    tried = metrics["candidates"]
    numbers = [candidate["k"] for candidate in tried]
    parts = {"bootstrap": BLUE, "odd_even": ORANGE, "months": "#54A24B"}
    for part, color in parts.items():
        # Without a second month nothing is drawn of it.
        values = [candidate[part] for candidate in tried]
        if None not in values:
            axes.plot(numbers, values, "o-", color=color, markersize=4, label=part)
    errors = [candidate["gap_error"] for candidate in tried]
    axes.errorbar(
        numbers,
        [candidate["gap"] for candidate in tried],
        yerr=errors,
        color=GREY,
        marker="s",
        markersize=3,
        linestyle=":",
        label="gap",
    )
    axes.axhline(STABLE, color=GREY, linestyle="--", linewidth=1)
    axes.axvline(metrics["k"], color=GREY, linewidth=6, alpha=0.25)
    axes.set(xlabel="segments", ylabel="adjusted Rand; gap", ylim=(-0.15, 1.05))
    axes.set_xticks(numbers)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
