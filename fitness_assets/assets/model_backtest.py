"""Stage 3: the models of the month before, scored on the days of this month."""

from itertools import cycle
from typing import TYPE_CHECKING

import dagster as dg

from fitness_assets.assets.model import days_of, sample_of, window_of
from fitness_assets.assets.presentation import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    OWNERS,
    picture,
    plot,
    result,
)
from fitness_assets.errors import NotLearnedError
from fitness_assets.models import backtest
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.registry import FORESTS
from fitness_assets.models.reports import BacktestHeadline, BacktestReport, Evaluation
from fitness_assets.months import shift, start, trailing
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.state import input_versions
from fitness_assets.storage import documents
from fitness_assets.storage.models import MODEL, ModelStore, load
from fitness_assets.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MONTHS_DRAWN = 12
_COLORS = (BLUE, ORANGE, GREEN)


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `model_backtest` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=dependencies("model_backtest"),
        group_name="models",
        kinds={"scikitlearn"},
        owners=OWNERS,
    )
    def model_backtest(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Scores of the models of the month before on this month's days of held-out users.

        The models were trained on neither these users nor this month. Scores that fall from month
        to month show drift. A partial month is not scored: a day that is not over looks calm.
        """
        month = context.partition_key
        inputs = input_versions(workspace, "model_backtest", month)
        before, people = shift(month, -1), workspace.privacy.smallest_cell
        evaluations: dict[str, Evaluation] = {}
        not_scored: dict[str, str] = {}
        partial_until = workspace.daily.info(month).last_day_so_far
        if partial_until is None:
            window = window_of(workspace, month)
            users = sample_of(workspace, window)
            days, _ = days_of(workspace, window, backtest.columns(), users)
        for spec in FORESTS:
            if partial_until is not None:
                not_scored[spec.name] = f"{month} has not ended"
                continue
            store = workspace.models[spec.name]
            content = store.read(before, MODEL) if store.manifest(before) else None
            metrics = store.report(before).metrics if content is not None else None
            if content is None or metrics is None:
                not_scored[spec.name] = f"{before} has no {spec.name}"
                continue
            if isinstance(metrics, RegressorMetrics) and metrics.personal:
                # Its own evaluation is of later months already.
                not_scored[spec.name] = f"the {spec.name} of {before} is personal"
                continue
            model = load(content, f"{spec.name} of {before}")
            try:
                test = backtest.held_out_days(spec, days, start(month), people)
                evaluations[spec.name] = spec.forest().evaluate(model, metrics, test, people)
            except NotLearnedError as error:
                not_scored[spec.name] = str(error)
        report = BacktestReport(model_month=before, evaluations=evaluations, not_scored=not_scored)
        manifest = workspace.backtest.save(month, None, report, inputs=inputs)
        scores = {
            f"{model}_{name}": value
            for model, evaluation in evaluations.items()
            for name, value in evaluation.summary().items()
        }
        return result(
            manifest,
            model_month=before,
            **scores,
            **({"not_scored": dg.MetadataValue.json(not_scored)} if not_scored else {}),
            **(
                {"scores_by_month": picture(_scores_by_month(workspace.backtest, month))}
                if evaluations
                else {}
            ),
            path=dg.MetadataValue.path(str(workspace.backtest.folder(month))),
        )

    return model_backtest


def _scores_by_month(store: ModelStore[BacktestReport], month: str) -> "Figure":
    """The compared score of each model and of its baseline, for the months up to this one."""
    headlines = {
        m: documents.convert(found.info, BacktestHeadline, f"the manifest of the backtest of {m}")
        for m in trailing(month, _MONTHS_DRAWN)
        if (found := store.manifest(m))
    }
    figure, axes = plot(4.5, 2)
    for spec, color in zip(FORESTS, cycle(_COLORS), strict=False):
        score = spec.headline
        for name, tone, style in ((score, color, "o-"), (f"baseline_{score}", GREY, ":")):
            values = [
                headline.scores.get(spec.name, {}).get(name, float("nan"))
                for headline in headlines.values()
            ]
            label = f"{spec.name} {name}"
            axes.plot(list(headlines), values, style, color=tone, markersize=4, label=label)
    axes.set(ylabel="score", ylim=(-0.1, 1.05))
    axes.tick_params(axis="x", rotation=45)
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
