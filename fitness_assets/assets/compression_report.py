"""Stage 3: how the calorie forest came to be as small as it is, and what each step cost."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from fitness_assets.assets.model import days_of
from fitness_assets.assets.presentation import (
    BLUE,
    ONE_RUN_A_MONTH,
    OWNERS,
    metric_table,
    picture,
    plot,
    result,
)
from fitness_assets.models import compression, memory_probe
from fitness_assets.models.compression import Step
from fitness_assets.models.forests import calories
from fitness_assets.models.model_selection import Hyperparameters
from fitness_assets.orchestration.partitions import trailing_window
from fitness_assets.storage.models import MODEL, load
from fitness_assets.workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of the hundred trees of the unbounded forest: they are alike in size, and a hundred take minutes.
_TREES_MEASURED = 5
_MODEL = "calorie_regressor"


def build(months: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """The `compression_report` asset over `months`."""

    @dg.asset(
        partitions_def=months,
        deps=[dg.AssetDep("daily_activity", partition_mapping=trailing_window()), _MODEL],
        backfill_policy=ONE_RUN_A_MONTH,
        group_name="models",
        kinds={"scikitlearn", "randomforest"},
        owners=OWNERS,
    )
    def compression_report(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """From scikit-learn's default forest to the released one: bytes, seconds and scores.

        Each step is measured: on disk, in the memory of a fresh process, in seconds, and on users
        that no step has seen. It takes as long as several months, and is therefore not part of
        the monthly job.
        """
        month = context.partition_key
        store, reports = workspace.models[_MODEL], workspace.reports["compression_report"]
        learned, content = store.metrics(month), store.read(month, MODEL)
        steps: list[Step] = []
        reason = learned.get("reason")
        if content is not None:
            days, _ = days_of(workspace, learned["window"], calories.COLUMNS)
            split = calories.split(days)
            chosen = next(trial for trial in learned["trials"] if trial["chosen"])
            shape = Hyperparameters(chosen["trees"], chosen["depth"], chosen["leaf"])
            with memory_probe.measuring() as memory:
                for step in compression.story(split, shape, memory, _TREES_MEASURED):
                    context.log.info(f"{step.step}: {step.bytes:,} bytes, R2 {step.r2:.4f}")
                    steps.append(step)
                model = load(content, f"{_MODEL} of {month}")
                steps.append(compression.released(split, model, content, learned, memory))
        metrics: dict[str, Any] = {"steps": [asdict(step) for step in steps]}
        metrics |= {"reason": reason} if reason else _headline(steps)
        manifest = reports.save(month, None, metrics)
        shown = {k: v for k, v in metrics.items() if k != "steps"}
        if steps:
            shown["steps"] = metric_table([_row(step) for step in steps])
            shown["bytes_on_disk"] = picture(_sizes(steps))
        return result(manifest, **shown, path=dg.MetadataValue.path(reports.folder(month)))

    return compression_report


def _headline(steps: Sequence[Step]) -> dict[str, Any]:
    first, last = steps[0], steps[-1]
    return {
        "bytes": last.bytes,
        "times_smaller": first.bytes / last.bytes,
        "r2": last.r2,
        "unbounded_bytes": first.bytes,
        "unbounded_r2": first.r2,
    }


def _row(step: Step) -> dict[str, str | float]:
    plain = asdict(step)
    return plain | {"fit_seconds": "" if step.fit_seconds is None else step.fit_seconds}


def _sizes(steps: Sequence[Step]) -> "Figure":
    figure, axes = plot(5, 0.4 + 0.3 * len(steps))
    bars = axes.barh(
        [step.step for step in steps], [step.bytes / 1000 for step in steps], color=BLUE
    )
    labels = [f"{step.bytes / 1000:,.0f} kB, R² {step.r2:.3f}" for step in steps]
    axes.bar_label(bars, labels=labels, padding=3, fontsize=8)
    axes.set(xlabel="kB on disk", xscale="log")
    axes.set_xlim(right=axes.get_xlim()[1] * 30)
    axes.invert_yaxis()
    return figure
