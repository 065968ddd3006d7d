"""Models are trained in one thread of BLAS and OpenMP, so bytes do not depend on the cores."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fitness_assets.models.forests import activity, calories
from fitness_assets.models.one_thread import one_thread
from fitness_assets.models.personal import energy
from fitness_assets.models.segments import segmentation

MONTH = pd.Timestamp("2023-04-01")


class Read(Exception):  # noqa: N818 - what the test waits for, no error
    """The days were read."""


class Days:
    """Days that raise `Read`, with the number of threads, when anything of them is read."""

    def __getattr__(self, name: str) -> NoReturn:
        raise Read(threads())

    def __getitem__(self, name: Any) -> NoReturn:
        raise Read(threads())


def threads() -> int:
    return max(int(library["num_threads"]) for library in threadpool_info())


@pytest.mark.parametrize(
    "train",
    [
        lambda days: activity.train(days, 1),
        lambda days: calories.train(days, 1),
        energy.train_month,
        lambda days: segmentation.learn(days, MONTH),
    ],
    ids=["activity", "calories", "personal calories", "segments"],
)
def test_a_model_is_trained_in_one_thread(train: Callable[[Any], object]) -> None:
    with threadpool_limits(2), pytest.raises(Read, match=r"^1$"):
        train(Days())


def test_the_limit_ends_with_the_block() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(2):
        with one_thread():
            assert threads() == 1
        assert threads() == 2
