"""Loading within a memory budget, on a real release."""

import itertools

import pytest

from fitness_assets.errors import MemoryBudgetError, StorageError
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.release.model_loader import load_models, measurement
from fitness_assets.release.store import ReleaseStore
from fitness_assets.settings import Settings
from fitness_assets_tests.support.platform import MONTHS


def test_the_regressor_is_loaded_last_and_each_step_is_recorded(released: Settings) -> None:
    release = ReleaseStore(released.home / "releases").open(MONTHS[-1])
    ticks = itertools.count(100)
    loaded = load_models(release, budget=10**9, resident=lambda: next(ticks) * 10**6)
    assert set(loaded.models) == set(MODEL_NAMES)
    assert all(model is not None for model in loaded.models.values())
    assert [step.step for step in loaded.steps] == [
        *("before", "libraries", "segment_model", "activity_classifier"),
        *("gc.collect", "malloc_trim", "calorie_regressor"),
    ]


def test_a_model_beyond_the_budget_is_not_loaded(released: Settings) -> None:
    release = ReleaseStore(released.home / "releases").open(MONTHS[-1])
    with pytest.raises(MemoryBudgetError) as error:
        load_models(release, budget=690_000_000, resident=lambda: 689_999_000)
    assert "segment_model of 2023-05 needs about" in str(error.value)
    assert "690 MB of 690 MB are in use (FITNESS_MEMORY)" in str(error.value)
    load_models(release, budget=1, resident=lambda: None)  # memory use unknown


def test_a_new_process_loads_and_predicts(released: Settings) -> None:
    with measurement(690_000_000) as measure:
        steps = measure(released.home / "releases", MONTHS[-1])
    assert steps[-1].step == "one prediction each"
    held = [step.resident or 0 for step in steps]
    assert 0 < held[0] <= max(held) < 400_000_000
    with measurement(1) as measure, pytest.raises(StorageError, match="needs about"):
        measure(released.home / "releases", MONTHS[-1])
