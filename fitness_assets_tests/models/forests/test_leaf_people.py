"""No leaf of a forest describes fewer people than the smallest cell."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from fitness_assets.models.forests.leaf_people import leaf_users, merge_small_leaves
from fitness_assets.models.forests.packed.estimator import PackedForest

ROWS, USERS, PEOPLE = 600, 20, 5


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose features identify their user, the target and the users."""
    generator = np.random.default_rng(0)
    users = generator.integers(0, USERS, ROWS)
    features = generator.normal(size=(ROWS, 3)) * 0.1 + generator.normal(size=(USERS, 3))[users]
    return features, features[:, 0] + users, users


def smallest_leaf(forest: Any, features: np.ndarray, users: np.ndarray) -> int:
    """The least number of users that any leaf was grown from."""
    inputs = features.astype(np.float32)
    return min(
        len(found)
        for tree, rows in zip(forest.estimators_, forest.estimators_samples_, strict=True)
        for found in leaf_users(tree.tree_, inputs[rows], users[rows], USERS).values()
    )


@pytest.mark.parametrize("people", [1, 2, PEOPLE, 2 * USERS])
@pytest.mark.parametrize("weights", [None, {"walking": 1.0, "yoga": 2.5}])
@pytest.mark.parametrize("kind", [RandomForestRegressor, RandomForestClassifier])
def test_each_leaf_rests_on_enough_people(kind: Any, weights: Any, people: int) -> None:
    features, target, users = data()
    truth = target if kind is RandomForestRegressor else np.where(users % 3, "walking", "yoga")
    forest = kind(5, min_samples_leaf=10, random_state=0)
    if kind is RandomForestClassifier:
        forest.set_params(class_weight=weights)
    forest.fit(features, truth)
    assert smallest_leaf(forest, features, users) == 1
    before = forest.score(features, truth)
    merge_small_leaves(forest, features, truth, users, people)
    assert smallest_leaf(forest, features, users) >= min(people, 10)
    assert forest.score(features, truth) <= before
    if people == 2 * USERS:
        assert {tree.tree_.children_left[0] for tree in forest.estimators_} == {-1}
    packed = PackedForest.of(forest)
    predict = "predict" if kind is RandomForestRegressor else "predict_proba"
    one, other = (getattr(model, predict)(features) for model in (packed, forest))
    assert np.allclose(one, other, rtol=1e-6)


def test_a_leaf_is_the_mean_of_all_its_rows() -> None:
    features, target, users = data()
    forest = RandomForestRegressor(3, min_samples_leaf=10, random_state=0).fit(features, target)
    merge_small_leaves(forest, features, target, users, PEOPLE)
    for estimator, rows in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        reached = estimator.apply(features[rows])
        for leaf in np.unique(reached):
            mean = target[rows][reached == leaf].mean()
            assert estimator.tree_.value[leaf, 0, 0] == pytest.approx(mean)


def test_a_person_apart_costs_only_the_split_that_separates_them() -> None:
    features, target, users = data()
    # The first split separates one user, who is far from all others.
    features[users == 0] += 100
    target[users == 0] += 1000
    forest = RandomForestRegressor(3, min_samples_leaf=10, random_state=0).fit(features, target)
    merge_small_leaves(forest, features, target, users, PEOPLE)
    others = users != 0
    assert forest.score(features[others], target[others]) < 1
    assert all((tree.tree_.apply(features.astype(np.float32)) > 0).any() for tree in forest)


def test_a_forest_whose_leaves_are_large_is_unchanged() -> None:
    features, target, _ = data()
    forest = RandomForestRegressor(3, min_samples_leaf=10, random_state=0).fit(features, target)
    before = PackedForest.of(forest).to_bytes()
    merge_small_leaves(forest, features, target, np.arange(ROWS), PEOPLE)
    assert PackedForest.of(forest).to_bytes() == before
