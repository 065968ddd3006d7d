"""Stage 3: the three models of a month, learned from its trailing window."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.assets.presentation import (
    BLUE,
    GREY,
    ONE_RUN_A_MONTH,
    ORANGE,
    OWNERS,
    metric_table,
    picture,
    plot,
    result,
)
from fitness_assets.errors import NotLearnedError
from fitness_assets.learning import activity, calories, segments
from fitness_assets.learning.verdicts import segments_verdict
from fitness_assets.months import start, trailing
from fitness_assets.partitions import TRAILING_WINDOW, trailing_window
from fitness_assets.resources.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Share from which a cell of the confusion picture needs white letters.
_DARK = 0.5

Learned = tuple[Pipeline, dict[str, Any], dict[str, pd.DataFrame]]


def build(months: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """The assets `segment_model`, `activity_classifier` and `calorie_regressor` over `months`."""

    def model_asset(
        kind: str,
    ) -> Callable[[Callable[..., dg.MaterializeResult[None]]], dg.AssetsDefinition]:
        return dg.asset(
            partitions_def=months,
            deps=[dg.AssetDep("daily_activity", partition_mapping=trailing_window())],
            backfill_policy=ONE_RUN_A_MONTH,
            group_name="models",
            kinds={"scikitlearn", kind},
            owners=OWNERS,
        )

    @model_asset("kmeans")
    def segment_model(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """K-Means on users' monthly profiles, and the segment of each user of the month.

        Says whether the same groups appear on odd and on even days. Where they do not, the
        segments are an arrangement of chance and nothing should be built on them.
        """

        def learn(days: pd.DataFrame) -> Learned:
            month = pd.Timestamp(start(context.partition_key))
            model, table, metrics = segments.learn(days, month)
            return model, metrics, {"segments": table}

        def show(metrics: dict[str, Any]) -> dict[str, Any]:
            return {
                "verdict": segments_verdict(metrics),
                "stability_by_number_of_segments": picture(_stability(metrics)),
            }

        return _materialize(context, workspace, segments.COLUMNS, learn, show)

    @model_asset("randomforest")
    def activity_classifier(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Random forest: steps, calories and heart rate to the day's activity.

        Scored on users it has not seen, beside always naming the commonest activity.
        """

        def learn(days: pd.DataFrame) -> Learned:
            return *activity.learn(days), {}

        def show(metrics: dict[str, Any]) -> dict[str, Any]:
            scores = ["accuracy", "balanced_accuracy", "macro_f1"]
            baseline = metrics["baseline"]
            return {
                "scores_on_unseen_users": metric_table(
                    [
                        {"model": "forest", **{name: metrics[name] for name in scores}},
                        {"model": baseline["name"], **{name: baseline[name] for name in scores}},
                    ]
                ),
                "confusion": picture(_confusion(metrics)),
            }

        return _materialize(context, workspace, activity.COLUMNS, learn, show)

    @model_asset("randomforest")
    def calorie_regressor(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Random forest: activity, steps, heart rate and sleep to kcal, bounded in size.

        Scored on users it has not seen, beside the mean and a linear model.
        """

        def learn(days: pd.DataFrame) -> Learned:
            return *calories.learn(days), {}

        def show(metrics: dict[str, Any]) -> dict[str, Any]:
            named = {"forest": metrics, **metrics["baselines"]}
            return {
                "scores_on_unseen_users": metric_table(
                    [
                        {"model": name, **{score: of[score] for score in ("r2", "mae", "rmse")}}
                        for name, of in named.items()
                    ]
                ),
                "mean_absolute_error": picture(_errors({n: of["mae"] for n, of in named.items()})),
            }

        return _materialize(context, workspace, calories.COLUMNS, learn, show)

    return [segment_model, activity_classifier, calorie_regressor]


def _materialize(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    columns: list[str],
    learn: Callable[[pd.DataFrame], Learned],
    show: Callable[[dict[str, Any]], dict[str, Any]],
) -> dg.MaterializeResult[None]:
    """Learn from the months of the window that the lake has, store what came of it, and tell."""
    month = context.partition_key
    window = [m for m in trailing(month, TRAILING_WINDOW) if workspace.daily.manifest(m)]
    scan = workspace.daily.scan(window, columns)
    days = scan.table.to_pandas()
    if "date" in days:
        days["date"] = pd.to_datetime(days["date"])
    model: Pipeline | None
    try:
        model, metrics, tables = learn(days)
        metrics |= {"learned": True}
    except NotLearnedError as reason:
        context.log.warning(f"not learned: {reason}")
        model, metrics, tables = None, {"learned": False, "reason": str(reason)}, {}
    metrics |= {"window_months": window}
    store = workspace.models[context.asset_key.to_user_string()]
    manifest = store.save(month, model, metrics, tables)
    plain = {k: v for k, v in metrics.items() if isinstance(v, bool | int | float | str)}
    rows = metrics.get("users", metrics.get("rows_learned"))
    return result(
        manifest,
        **plain,
        **({"dagster/row_count": rows} if rows is not None else {}),
        **(show(metrics) if model is not None else {}),
        window_months=", ".join(window),
        bytes_read=scan.bytes_read,
        path=dg.MetadataValue.path(store.folder(month)),
    )


def _stability(metrics: dict[str, Any]) -> "Figure":
    figure, axes = plot(4.5, 2)
    tried = metrics["candidates"]
    axes.plot([c["segments"] for c in tried], [c["stability"] for c in tried], "o-", color=BLUE)
    axes.axhline(segments.STABLE, color=GREY, linestyle="--")
    axes.set(xlabel="segments", ylabel="adjusted Rand", ylim=(-0.1, 1))
    axes.set_xticks([c["segments"] for c in tried])
    return figure


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


def _errors(errors: dict[str, float]) -> "Figure":
    figure, axes = plot(4.5, 1.6)
    bars = axes.barh(list(errors), list(errors.values()), color=[ORANGE, GREY, GREY])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.invert_yaxis()
    axes.set(xlabel="mean absolute error, kcal")
    return figure
