"""Load the models of a release one after the other, within the memory there is.

Run as a program it does so in a process that does nothing else, and prints each step as JSON.
"""

import gc
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fitness_assets import memory
from fitness_assets.errors import MemoryBudgetError, StorageError
from fitness_assets.models.registry import MODELS
from fitness_assets.release.bundle import Release, served
from fitness_assets.release.store import ReleaseStore

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: The largest comes last, when what the others needed while they were read has been given back.
*_FIRST, _LAST = (spec.name for spec in MODELS)
# Decoding holds the file, the arrays in between, and the model at once.
_WHILE_LOADING = 3


@dataclass(frozen=True)
class Step:
    """A step of loading, and the bytes that the process held after it (None if unknown)."""

    step: str
    resident: int | None


@dataclass(frozen=True)
class Loaded:
    """The models by name, None where the release has none, and what each step took."""

    models: "dict[str, Pipeline | None]"
    steps: list[Step]


def load_models(
    release: Release, budget: int, held: Callable[[], int | None] = memory.resident
) -> Loaded:
    """Load segments and classifier, give memory back, then load the regressor.

    Parameters
    ----------
    release : Release
    budget : int
        Bytes that the process may hold.
    held : callable
        Bytes that it holds now.

    Raises
    ------
    MemoryBudgetError
        Before a model is loaded that would pass the budget; what was loaded until then is let go.
    StorageError
        If a file is not what the manifest says, or may not be loaded.
    """
    metrics = release.metrics()
    models: dict[str, Pipeline | None] = {}
    steps = [Step("before", held())]

    def load(name: str) -> None:
        file = release.model_file(name)
        now = held()
        if file is not None and now is not None:
            told = served(metrics[name]) or {}
            needed = _WHILE_LOADING * (file.bytes + int(told.get("memory_bytes", 0)))
            if now + needed > budget:
                raise MemoryBudgetError(
                    f"the {name} of {release.month} needs about {needed / 1e6:,.1f} MB to load; "
                    f"{now / 1e6:,.0f} of {budget / 1e6:,.0f} MB are in use (FITNESS_MEMORY)"
                )
        models[name] = release.model(name)
        steps.append(Step(name, held()))

    _import_libraries()
    steps.append(Step("libraries", held()))
    for name in _FIRST:
        load(name)
    gc.collect()
    steps.append(Step("gc.collect", held()))
    memory.trim()
    steps.append(Step("malloc_trim", held()))
    load(_LAST)
    return Loaded(models, steps)


def _import_libraries() -> None:
    """Import what models are made of and read with, once, whatever their size."""
    import skops.io  # noqa: F401

    from fitness_assets.models.segments import stability  # noqa: F401


@contextmanager
def measuring(budget: int) -> Iterator[Callable[[Path, str], list[Step]]]:
    """Start a process that loads one release and predicts once; it imports until it is told which.

    Parameters
    ----------
    budget : int
        Bytes that the process may hold.

    Yields
    ------
    callable
        Given the folder of the releases and a month: the steps. It raises `StorageError`, with
        what the process said, if it could not load that release.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(budget)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def measure(folder: Path, month: str) -> list[Step]:
        found, complaint = process.communicate(json.dumps([str(folder), month]))
        if process.returncode:
            told = complaint.strip().splitlines() or ["it ended without a word"]
            raise StorageError(f"the release of {month} cannot be loaded by itself: {told[-1]}")
        return [Step(**step) for step in json.loads(found)]

    with process:
        try:
            yield measure
        finally:
            process.kill()


def _steps(folder: Path, month: str, budget: int) -> Iterator[Step]:
    import pandas as pd

    from fitness_assets.models.prediction import predict_activity, predict_calories
    from fitness_assets.models.reports import ClassifierMetrics, RegressorMetrics
    from fitness_assets.release import flat

    release = ReleaseStore(folder).open(month)
    loaded = load_models(release, budget)
    yield from loaded.steps
    # Of a day and a person of whom nothing is known.
    metrics = release.metrics()
    for name, model in loaded.models.items():
        told = served(metrics[name])
        if model is None or told is None:
            continue
        measured = flat.typed(told).metrics
        if isinstance(measured, ClassifierMetrics):
            predict_activity(model, measured, {})
        elif isinstance(measured, RegressorMetrics):
            predict_calories(model, measured, {})
        else:
            model.predict(pd.DataFrame([dict.fromkeys(told["features"], float("nan"))]))
    yield Step("one prediction each", memory.resident())


if __name__ == "__main__":
    _import_libraries()
    place, of = json.load(sys.stdin)
    found = [asdict(step) for step in _steps(Path(place), of, int(sys.argv[1]))]
    sys.stdout.write(json.dumps(found))
