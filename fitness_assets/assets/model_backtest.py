"""Stage 3: how the models of the month before do on this month."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from fitness_assets.assets.model import days_of, window_of
from fitness_assets.assets.presentation import (
    BLUE,
    GREY,
    ONE_RUN_A_MONTH,
    ORANGE,
    OWNERS,
    picture,
    plot,
    result,
)
from fitness_assets.models import backtest
from fitness_assets.months import shift, start, trailing
from fitness_assets.orchestration.partitions import month_before, trailing_window
from fitness_assets.storage.models import MODEL, ModelStore, load
from fitness_assets.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MONTHS_DRAWN = 12


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `model_backtest` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=[
            dg.AssetDep("daily_activity", partition_mapping=trailing_window()),
            *(dg.AssetDep(name, partition_mapping=month_before()) for name in backtest.FORESTS),
        ],
        backfill_policy=ONE_RUN_A_MONTH,
        group_name="models",
        kinds={"scikitlearn"},
        owners=OWNERS,
    )
    def model_backtest(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """The forests of the month before on the days of this month, of users they have not seen.

        Neither the people nor the month were learned from. A score that falls from month to month
        is drift.
        """
        month = context.partition_key
        days, _ = days_of(workspace, window_of(workspace, month), backtest.COLUMNS)
        before = shift(month, -1)
        metrics: dict[str, Any] = {"models_of": before}
        for name in backtest.FORESTS:
            store = workspace.models[name]
            content = store.read(before, MODEL) if store.manifest(before) else None
            if content is None:
                metrics[name] = {"reason": f"{before} has no {name}"}
                continue
            model = load(content, f"{name} of {before}")
            told = backtest.score(name, model, store.metrics(before), days, start(month))
            metrics[name] = told
            # Both forests have these, and one figure by that name would be one of the two.
            own = {k: v for k, v in told.items() if k not in {"rows", "gain", "gain_low"}}
            metrics |= {k: v for k, v in own.items() if isinstance(v, int | float)}
        reports = workspace.reports["model_backtest"]
        manifest = reports.save(month, None, metrics)
        plain = {k: v for k, v in metrics.items() if not isinstance(v, dict)}
        unscored = {n: metrics[n]["reason"] for n in backtest.FORESTS if "reason" in metrics[n]}
        return result(
            manifest,
            **plain,
            **({"not_scored": dg.MetadataValue.json(unscored)} if unscored else {}),
            scores_by_month=picture(_scores(reports, month)),
            path=dg.MetadataValue.path(reports.folder(month)),
        )

    return model_backtest


def _scores(reports: ModelStore, month: str) -> "Figure":
    """R2 and macro F1 of every month that has been scored up to this one, and the baselines'."""
    told = {m: found.info for m in trailing(month, _MONTHS_DRAWN) if (found := reports.manifest(m))}
    figure, axes = plot(4.5, 2)
    for score, colour in {"r2": ORANGE, "macro_f1": BLUE}.items():
        for name, tone, style in ((score, colour, "o-"), (f"baseline_{score}", GREY, ":")):
            values = [info.get(name, float("nan")) for info in told.values()]
            axes.plot(list(told), values, style, color=tone, markersize=4, label=name)
    axes.set(ylabel="score", ylim=(-0.1, 1.05))
    axes.tick_params(axis="x", rotation=45)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
