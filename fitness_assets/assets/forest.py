"""How the assets of both forests show what was measured of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from fitness_assets.assets.presentation import BLUE, metric_table, picture, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_IMPORTANT = 10


def scores_of(
    metrics: Mapping[str, Any],
    names: Sequence[str],
    baseline: str,
    others: Mapping[str, Mapping[str, float]] | None = None,
) -> dg.TableMetadataValue:
    """The scores `names` of the forest, of other models, and of the baseline, a row each."""
    rows = {
        "forest": {name: metrics[name] for name in names},
        **(others or {}),
        baseline: {name: metrics[f"baseline_{name}"] for name in names},
    }
    return metric_table([{"model": model, **scores} for model, scores in rows.items()])


def shown(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What was tried, what the model goes by, and how it does on each slice."""
    tried = [
        trial | {"groups": ", ".join(trial["groups"]), "chosen": "yes" if trial["chosen"] else ""}
        for trial in metrics["trials"]
    ]
    # Data without labels has no activities to slice by, and without groups no segments.
    slices = {name: metrics[name] for name in ("by_activity", "by_segment") if metrics[name]}
    return {
        "tried_on_users_kept_aside": metric_table(tried),
        **{name: metric_table(rows) for name, rows in slices.items()},
        "importances": picture(_importances(metrics["importances"])),
    }


def _importances(importances: Mapping[str, float]) -> "Figure":
    most = dict(list(importances.items())[:_MOST_IMPORTANT])
    figure, axes = plot(4.5, 0.4 + 0.22 * len(most))
    axes.barh(list(most), list(most.values()), color=BLUE)
    axes.invert_yaxis()
    axes.set(xlabel="score lost when shuffled")
    return figure
