"""Tasks in threads give the results of tasks one after the other."""

import warnings
from functools import partial

import numpy as np
import pytest
import sklearn
from threadpoolctl import threadpool_info, threadpool_limits

from fitness_assets.models.segments import stability
from fitness_assets.models.threads import in_threads


def failing() -> None:
    raise ValueError("of a task")


def test_results_are_in_the_order_of_the_tasks() -> None:
    assert in_threads([partial(pow, 2, exponent) for exponent in range(20)]) == [
        2**exponent for exponent in range(20)
    ]


def test_an_error_of_a_task_is_raised() -> None:
    with pytest.raises(ValueError, match="of a task"):
        in_threads([failing])


def test_tasks_have_one_thread_of_blas_and_openmp_and_the_configuration() -> None:
    def limits() -> set[int]:
        return {int(library["num_threads"]) for library in threadpool_info()}

    with threadpool_limits(2), sklearn.config_context(assume_finite=True):
        assert in_threads([limits] * 3) == [{1}] * 3
        assert all(each["assume_finite"] for each in in_threads([sklearn.get_config] * 3))
        assert max(limits()) == 2


def test_gaps_do_not_depend_on_threads_and_leave_the_warning_filters() -> None:
    # Two distinct profiles, so that every clustering of three or more warns.
    scaled = np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0)
    before = list(warnings.filters)
    first = stability.gap(scaled, [2, 3, 4], stability.even_sample)
    assert warnings.filters == before
    assert stability.gap(scaled, [2, 3, 4], stability.even_sample) == first
    assert [stability.gap(scaled, [k], stability.even_sample)[0] for k in (2, 3, 4)] == first
