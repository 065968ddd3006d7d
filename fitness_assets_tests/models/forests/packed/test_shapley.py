"""Shapley values along the paths of packed trees are exact."""

import warnings
from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from fitness_assets.models.forests.packed import shapley
from fitness_assets.models.forests.packed.estimator import PackedForest
from fitness_assets_tests.support.forests import rows


def fitted(kind: Any, missing: float = 0.0) -> tuple[Any, Any]:
    """A forest of six features, and the rows that it was fitted to."""
    generator = np.random.default_rng(3)
    x = rows(generator, 300, 6, missing)
    known = np.nan_to_num(x)
    y = known[:, 0] * known[:, 1] + np.abs(known[:, 2])
    if kind is RandomForestClassifier:
        y = np.digitize(y, np.quantile(y, [0.3, 0.7])).astype(float)
    return kind(7, max_depth=6, random_state=0).fit(x, y), x


def explained(packed: Any, row: Any, references: Any, inputs: Any = None) -> tuple[Any, Any]:
    inputs = np.arange(len(row)) if inputs is None else np.asarray(inputs)
    values = packed.node_values()
    return shapley.contributions(packed.trees_, values, row, references, inputs)


@pytest.mark.parametrize(
    "kind", [RandomForestRegressor, ExtraTreesRegressor, RandomForestClassifier]
)
def test_contributions_are_those_of_the_package_shap(kind: Any) -> None:
    with warnings.catch_warnings():
        # Matplotlib's, of the colours that it declares.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    forest, x = fitted(kind)
    references, explicands = x[:20], x[20:26]
    explainer = shap.TreeExplainer(forest, data=references, feature_perturbation="interventional")
    expected = explainer.shap_values(explicands)
    if expected.ndim == 2:
        expected = expected[:, :, None]
    packed = PackedForest.of(forest)
    for row, each in zip(explicands, expected, strict=True):
        mean, added = explained(packed, row, references)
        assert mean == pytest.approx(np.atleast_1d(explainer.expected_value), rel=1e-6)
        assert added == pytest.approx(each, abs=1e-5 * np.abs(each).max())


def by_definition(packed: Any, row: Any, references: Any, inputs: list[int]) -> Any:
    """Shapley values from the predictions of every coalition of the inputs."""
    count = max(inputs) + 1
    worth = {}
    for chosen in product([False, True], repeat=count):
        mixed = np.where(np.array(chosen)[inputs], row, references)
        worth[chosen] = packed.predict(mixed).mean()
    found = np.zeros(count)
    for chosen, value in worth.items():
        for number in range(count):
            if not chosen[number]:
                joined = (*chosen[:number], True, *chosen[number + 1 :])
                weight = 1 / (count * comb(count - 1, sum(chosen)))
                found[number] += weight * (worth[joined] - value)
    return found


@pytest.mark.parametrize("inputs", [[0, 1, 2, 3, 4, 5], [0, 1, 1, 2, 0, 0]])
@pytest.mark.parametrize("block", [1 << 22, 8])
def test_contributions_are_those_of_the_definition(
    inputs: list[int], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with missing values, and if several columns encode one input."""
    monkeypatch.setattr(shapley, "_BLOCK", block)
    forest, x = fitted(RandomForestRegressor, missing=0.2)
    packed, references = PackedForest.of(forest), x[:4]
    for row in x[10:14]:
        mean, added = explained(packed, row, references, inputs)
        expected = by_definition(packed, row, references, inputs)
        scale = np.abs(expected).max()
        assert added[:, 0] == pytest.approx(expected, abs=1e-9 * scale)
        assert mean[0] + added.sum() == pytest.approx(packed.predict(row[None, :])[0])


def test_a_row_that_equals_the_reference_adds_nothing() -> None:
    forest, x = fitted(RandomForestRegressor, missing=0.2)
    packed = PackedForest.of(forest)
    mean, added = explained(packed, x[3], x[[3]])
    assert not added.any()
    assert mean[0] == pytest.approx(packed.predict(x[[3]])[0])
