from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from fitness_assets.models.explanations import segments_measured
from fitness_assets.models.segment_metrics import SegmentCandidate
from fitness_assets.models.segments import stability
from fitness_assets.models.segments.criteria import STABLE
from fitness_assets_tests.support.segments import learned


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run on one thread: more threads only slow down such small clusterings."""
    with threadpool_limits(1):
        yield


def test_bootstrap_alone_would_call_noise_stable() -> None:
    _, _, metrics = learned(400, days=61)
    two = metrics.candidates[0]
    assert two.subsampling > two.bootstrap > STABLE
    assert (two.silhouette or 0) > 0.1
    assert max(two.odd_even or 0, two.months or 0) < 0.2
    assert metrics.stable is False
    assert "The lenient test, which does not count, gives" in segments_measured(metrics)


def test_labels_are_matched_by_their_users() -> None:
    april = np.array([0, 0, 1, 1, 2, 2, 2, 0])
    may = np.array([2, 2, 0, 0, 1, 1, 1, 1])
    assert stability.matched(may, to=april).tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
    assert stability.matched(np.array([3, 3, 1]), to=np.array([0, 0, 2])).tolist() == [0, 0, 2]


def test_agreement_is_that_of_chance_where_users_change_segments() -> None:
    generator = np.random.default_rng(0)
    groups = np.arange(200) % 2
    profiles = np.column_stack([6.0 * groups, 0.0 * groups]) + generator.normal(size=(200, 2))
    users = pd.Index([f"u{i}" for i in range(200)])
    here = stability.View(profiles, profiles, users)
    elsewhere = stability.View(profiles, profiles[generator.permutation(200)], users)
    index, share = stability.agreement([here, elsewhere], 2)
    assert index == pytest.approx(0, abs=0.1)
    assert share == pytest.approx(0.5, abs=0.1)
    renamed = stability.View(-profiles, -profiles, users)
    assert stability.agreement([here, renamed], 2) == (1.0, 1.0)
    assert stability.agreement([here], 2) == (None, None)


def test_the_null_has_the_covariance_of_the_data() -> None:
    generator = np.random.default_rng(0)
    spread = np.array([3.0, 2.0, 0.5])
    null = stability.null_sample(generator, 300, spread)
    assert np.cov(null.T, bias=True) == pytest.approx(np.diag(spread**2), abs=1e-9)
    for value, error in stability.gap(null, range(2, 6)):
        assert abs(value) < 4 * error


def test_the_gap_is_positive_for_groups_and_zero_for_one_population() -> None:
    generator = np.random.default_rng(0)
    # Correlated measures, like those of real users; the silhouette of two halves is positive.
    one = generator.normal(size=(400, 4)) @ generator.normal(size=(4, 4))
    assert all(abs(value) < 4 * error for value, error in stability.gap(one, range(2, 5)))
    groups = one + np.repeat([[0], [20]], 200, axis=0)
    value, error = stability.gap(groups, [2])[0]
    assert value > 10 * error


def test_the_smallest_number_within_an_error_of_the_largest_gap_is_chosen() -> None:
    def candidate(k: int, index: float, gap: float, smallest: int = 50) -> SegmentCandidate:
        return SegmentCandidate(
            k=k,
            stability=index,
            subsampling=index,
            bootstrap=index,
            odd_even=None,
            months=None,
            kept=None,
            gap=gap,
            gap_error=0.02,
            silhouette=None,
            smallest=smallest,
        )

    two, three, four = candidate(2, 0.9, 0.1), candidate(3, 0.7, 0.29), candidate(4, 0.8, 0.3)
    unstable, outliers = candidate(5, 0.5, 0.9), candidate(6, 0.9, 0.9, smallest=2)
    assert stability.choose([two, three, four, unstable, outliers]) == (three, True)
    assert stability.choose([unstable, outliers]) == (outliers, False)
    assert stability.choose([candidate(2, 0.01, 0.0), candidate(3, 0.02, 0.0)])[0].k == 2
