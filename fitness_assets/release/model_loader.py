"""Load the models of a release one by one, within a memory budget.

Run as a program, it loads a release in a new process, and prints the memory after each step as
JSON.
"""

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fitness_assets import memory
from fitness_assets.errors import MemoryBudgetError, StorageError
from fitness_assets.formatting import size
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.registry import MODELS
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.release.bundle import Release
from fitness_assets.release.store import ReleaseStore
from fitness_assets.storage.locations import Location, location

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Loading holds the file, the decoded arrays and the model at once.
_LOADING_FACTOR = 3


@dataclass(frozen=True)
class Step:
    """A step of loading, and the resident memory after it in bytes (None if unknown)."""

    step: str
    resident: int | None


@dataclass(frozen=True)
class Loaded:
    """The models by name, None where the release has none, and the steps of loading."""

    models: "dict[str, Pipeline | None]"
    steps: list[Step]


def load_models(
    release: Release, budget: int, resident: Callable[[], int | None] = memory.resident
) -> Loaded:
    """Load the models in the order of the registry, the largest last.

    Before the last one, the memory that loading the others took is returned to the system. Each
    file is verified against the manifest and the allow-list before it is loaded.

    Parameters
    ----------
    release : Release
    budget : int
        Bytes of memory that the process may use.
    resident : callable
        Returns the resident memory of the process in bytes.

    Raises
    ------
    MemoryBudgetError
        If a model would exceed the budget. It is not loaded, and none is returned.
    StorageError
        If a file does not match the manifest, or holds a type that is not allowed.
    """
    models: dict[str, Pipeline | None] = {}
    steps = [Step("before", resident())]

    def load(name: str) -> None:
        file, used = release.model_file(name), resident()
        if file is not None and used is not None:
            needed = _LOADING_FACTOR * release.model_memory(name)
            if used + needed > budget:
                raise MemoryBudgetError(
                    f"the {name} of {release.month} needs about {size(needed)} to load; "
                    f"{size(used)} of {size(budget)} are in use (FITNESS_MEMORY)"
                )
        models[name] = release.model(name)
        steps.append(Step(name, resident()))

    _import_libraries()
    steps.append(Step("libraries", resident()))
    *first, last = (spec.name for spec in MODELS)
    for name in first:
        load(name)
    gc.collect()
    steps.append(Step("gc.collect", resident()))
    memory.trim()
    steps.append(Step("malloc_trim", resident()))
    load(last)
    return Loaded(models, steps)


def _import_libraries() -> None:
    """Import the libraries of all models, so that their memory is not counted as a model's."""
    import skops.io  # noqa: F401

    from fitness_assets.models.segments import stability  # noqa: F401


@contextmanager
def measurement(budget: int) -> Iterator[Callable[[Location, str], list[Step]]]:
    """Start a process that loads one release and predicts once with each model.

    It imports its libraries while the caller prepares the release.

    Parameters
    ----------
    budget : int
        Bytes of memory that the process may use.

    Yields
    ------
    callable
        Takes the folder of the releases and a month, and returns the steps. Raises `StorageError`
        with the last line of the process's output if the release cannot be loaded.
    """
    process = subprocess.Popen(
        # Modules in the working folder are not imported.
        [sys.executable, "-P", "-m", __name__, str(budget)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def measure(folder: Location, month: str) -> list[Step]:
        output, errors = process.communicate(json.dumps([str(folder), month]))
        if process.returncode:
            lines = errors.strip().splitlines() or ["no output"]
            raise StorageError(
                f"the release of {month} cannot be loaded in a new process: {lines[-1]}"
            )
        return [Step(**step) for step in json.loads(output)]

    with process:
        try:
            yield measure
        finally:
            process.kill()


def _load_and_predict(folder: Location, month: str, budget: int) -> list[Step]:
    release = ReleaseStore(folder).open(month)
    loaded = load_models(release, budget)
    for name, entry in release.report().models.items():
        model, report = loaded.models[name], entry.carried
        if model is not None and report is not None:
            predict_one(model, report.metrics)
    return [*loaded.steps, Step("one prediction each", memory.resident())]


def predict_one(model: "Pipeline", metrics: object) -> None:
    """Predict one row without known values.

    Parameters
    ----------
    model : Pipeline
    metrics : SegmentMetrics, ClassifierMetrics or RegressorMetrics
        Of the model.
    """
    import pandas as pd

    from fitness_assets.models.prediction import feature_row

    if isinstance(metrics, ClassifierMetrics | RegressorMetrics):
        model.predict(feature_row(metrics.inputs, {}))
    elif isinstance(metrics, SegmentMetrics):
        model.predict(pd.DataFrame([dict.fromkeys(metrics.features, float("nan"))]))


if __name__ == "__main__":
    memory.exit_without_collecting()
    _import_libraries()
    releases, release_month = json.load(sys.stdin)
    measured = _load_and_predict(location(releases), release_month, int(sys.argv[1]))
    sys.stdout.write(json.dumps([asdict(step) for step in measured]))
