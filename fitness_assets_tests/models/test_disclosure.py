"""What may be published of a group shows nobody of it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fitness_assets.models import disclosure
from fitness_assets.models.datasets import without_rare

PEOPLE = 5


@given(st.lists(st.integers(0, 10_000)), st.lists(st.integers(-2, 2)))
def test_no_sum_or_difference_of_published_counts_is_of_few_people(
    counts: list[int], signs: list[int]
) -> None:
    published = [disclosure.rounded(count, PEOPLE) for count in counts]
    total = abs(sum(sign * count for sign, count in zip(signs, published, strict=False)))
    assert total == 0 or total >= PEOPLE
    assert all(abs(one - other) <= PEOPLE / 2 for one, other in zip(counts, published, strict=True))


@given(arrays(int, st.integers(0, 9), elements=st.integers(0, 30)))
def test_the_rest_of_a_total_is_nothing_or_several_cells_of_enough_people(
    users: np.ndarray,
) -> None:
    hidden = disclosure.suppressed(users, PEOPLE)
    assert not (hidden & (users == 0)).any()
    assert not (~hidden & (users > 0) & (users < PEOPLE)).any()
    if hidden.any() and (~hidden & (users > 0)).any():
        assert hidden.sum() > 1
        assert users[hidden].sum() >= PEOPLE


@given(arrays(int, (4, 5), elements=st.integers(0, 20)))
def test_no_suppressed_cell_of_a_table_is_alone_in_its_line(users: np.ndarray) -> None:
    hidden = disclosure.suppressed(users, PEOPLE)
    assert not (~hidden & (users > 0) & (users < PEOPLE)).any()
    for cells, counts in [*zip(hidden, users, strict=True), *zip(hidden.T, users.T, strict=True)]:
        if cells.any() and (~cells & (counts > 0)).any():
            assert cells.sum() > 1
            assert counts[cells].max() >= PEOPLE


@given(
    st.lists(st.tuples(st.integers(0, 8), st.floats(0, 100)), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.05, 0.5, 0.95, 1.0]),
)
def test_a_published_quantile_has_people_on_both_sides(
    rows: list[tuple[int, float]], share: float
) -> None:
    frame = pd.DataFrame(rows, columns=["user", "value"])
    low, high = disclosure.bounds(frame["value"], frame["user"], PEOPLE)
    (found,) = disclosure.quantiles(frame[["value"]], frame["user"], [share], PEOPLE)[0]
    exact = frame["value"].quantile(share)
    if frame["user"].nunique() < PEOPLE:
        assert np.isnan([low, high, found]).all()
        return
    assert frame.loc[frame["value"] <= low, "user"].nunique() >= PEOPLE
    assert frame.loc[frame["value"] >= high, "user"].nunique() >= PEOPLE
    assert np.isnan(found) == (not low <= exact <= high)


def test_values_are_rounded_to_significant_digits() -> None:
    found = disclosure.significant([12_345.6, 0.0012345, -7.891, 0, np.nan])
    assert found.tolist()[:4] == pytest.approx([12_300, 0.00123, -7.89, 0])
    assert np.isnan(found[4])


@pytest.mark.parametrize(("rare", "missing"), [(0, 4), (4, 0), (2, 2), (3, 4), (0, 7), (0, 0)])
def test_no_category_is_of_few_people_and_neither_are_missing_values(
    rare: int, missing: int
) -> None:
    users = np.repeat(np.arange(30), 2)
    sex = np.where(users < rare, "other", np.where(users % 2, "female", "male"))
    known = pd.Series(sex).where(users < 30 - missing)
    found = without_rare(pd.DataFrame({"user_id": users, "sex": known}), ["sex", "age"], PEOPLE)
    counts = found.groupby(found["sex"].fillna("missing"))["user_id"].nunique()
    assert counts.min() >= PEOPLE
    assert ("missing" in counts) == (rare + missing >= PEOPLE)


def test_a_model_keeps_nothing_of_single_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(23, 2))
    rows[0, 1] = np.nan
    scaler = StandardScaler()
    model = Pipeline([("scale", scaler), ("kmeans", KMeans(2, random_state=0))])
    model.fit(np.nan_to_num(rows))
    scaler.fit(rows)
    before = model.predict(np.nan_to_num(rows))
    disclosure.strip_counts(model, PEOPLE)
    assert len(model[-1].labels_) == 0
    assert set(np.atleast_1d(scaler.n_samples_seen_).tolist()) <= {20, 25}
    assert (model.predict(np.nan_to_num(rows)) == before).all()
