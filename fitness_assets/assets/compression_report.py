"""Stage 3: the size of the calorie forest, from scikit-learn's default to the released model."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

from fitness_assets.assets.model import days_of, sample_of
from fitness_assets.assets.presentation import (
    BLUE,
    OWNERS,
    metric_table,
    picture,
    plot,
    result,
)
from fitness_assets.formatting import number, size, times
from fitness_assets.memory import collect_and_trim
from fitness_assets.models import memory_probe
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.reports import CompressionReport, CompressionStep
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.state import input_versions
from fitness_assets.storage.models import MODEL, load
from fitness_assets.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of the hundred trees of the unbounded forest: they are alike in size, and a hundred take minutes.
# An even number, since two cores grow two at a time.
_TREES_MEASURED = 4
_MODEL = "calorie_regressor"


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `compression_report` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=dependencies("compression_report"),
        group_name="models",
        kinds={"scikitlearn", "randomforest"},
        owners=OWNERS,
    )
    def compression_report(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Size, time and scores of each step from scikit-learn's default forest to the released.

        Each step is measured on disk, in the memory of a new process, in seconds, and on held-out
        users. It takes as long as several months, and is therefore not part of the monthly job.
        """
        from fitness_assets.models import compression
        from fitness_assets.models.forests import calories
        from fitness_assets.models.forests.candidates import Hyperparameters

        month = context.partition_key
        inputs = input_versions(workspace, "compression_report", month)
        store = workspace.models[_MODEL]
        model_report, content = store.report(month), store.read(month, MODEL)
        metrics = model_report.metrics
        steps: list[CompressionStep] = []
        reason = model_report.reason
        if isinstance(metrics, RegressorMetrics) and metrics.personal:
            reason = "a personal model is linear and has no forest"
        elif content is not None and isinstance(metrics, RegressorMetrics):
            users = sample_of(workspace, model_report.window)
            days, _ = days_of(workspace, model_report.window, calories.COLUMNS, users)
            split = calories.split(days)
            del days
            # The process that measures needs as much memory as a step before has freed.
            collect_and_trim()
            trial = next(trial for trial in metrics.trials if trial.selected)
            hyperparameters = Hyperparameters(trial.trees, trial.depth, trial.leaf)
            with memory_probe.start() as probe:
                for step in compression.measure_steps(
                    split, hyperparameters, probe, _TREES_MEASURED
                ):
                    context.log.info(f"{step.step}: {size(step.bytes)}, R² {number(step.r2, 3)}")
                    steps.append(step)
                model = load(content, f"{_MODEL} of {month}")
                steps.append(compression.measure_released(split, model, content, metrics, probe))
        report = CompressionReport(steps=steps, reason=reason)
        manifest = workspace.compression.save(month, None, report, inputs=inputs)
        headline = msgspec.structs.asdict(report.headline())
        metadata = {name: value for name, value in headline.items() if value is not None}
        if steps:
            metadata["verdict"] = _verdict(report)
            metadata["steps"] = metric_table([_row(step) for step in steps])
            metadata["bytes_on_disk"] = picture(_sizes(steps))
        folder = workspace.compression.folder(month)
        return result(manifest, **metadata, path=dg.MetadataValue.path(str(folder)))

    return compression_report


def _verdict(report: CompressionReport) -> str:
    first, last = report.compressed[0], report.compressed[-1]
    return (
        f"{times(first.bytes / last.bytes)} smaller with the same inputs: from {size(first.bytes)} "
        f"to {size(last.bytes)}."
    )


def _row(step: CompressionStep) -> dict[str, str | float]:
    row = msgspec.structs.asdict(step)
    return row | {"fit_seconds": "" if step.fit_seconds is None else step.fit_seconds}


def _sizes(steps: Sequence[CompressionStep]) -> "Figure":
    figure, axes = plot(5, 0.4 + 0.3 * len(steps))
    bars = axes.barh(
        [step.step for step in steps], [step.bytes / 1000 for step in steps], color=BLUE
    )
    labels = [f"{size(step.bytes)}, R² {number(step.r2, 3)}" for step in steps]
    axes.bar_label(bars, labels=labels, padding=3, fontsize=8)
    axes.set(xlabel="kB on disk", xscale="log")
    axes.set_xlim(right=axes.get_xlim()[1] * 30)
    axes.invert_yaxis()
    return figure
