import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.etl.baselines import with_baselines
from fitness_assets.record.daily import BASELINES
from fitness_assets_tests.support.days import table

#: The steps of one user by day.
STEPS_BY_DAY = st.dictionaries(
    st.integers(0, 60), st.none() | st.integers(0, 100_000), min_size=1, max_size=61
)


@given(users=st.lists(STEPS_BY_DAY, min_size=1, max_size=4))
def test_a_baseline_is_the_mean_of_the_known_days_before(
    users: list[dict[int, int | None]],
) -> None:
    days = with_baselines(table(users))
    for name, _, window in BASELINES:
        expected = []
        for user in users:
            for day in sorted(user):
                before = [user.get(day - back) for back in range(1, window + 1)]
                known = [steps for steps in before if steps is not None]
                expected.append(sum(known) / len(known) if known else None)
        assert days[name].to_pylist() == pytest.approx(expected), name


def test_a_mean_does_not_depend_on_the_days_before_its_window() -> None:
    noise = np.random.default_rng(0)
    recent = dict.fromkeys(range(30, 60))
    long = dict.fromkeys(range(30), 1) | recent
    values = noise.uniform(40, 80, 60)

    def last_mean(user: dict[int, int | None]) -> float:
        days = table([user])
        column = pa.array(values[-days.num_rows :])
        days = days.set_column(4, "resting_heart_rate", column)
        return float(with_baselines(days)["resting_heart_rate_mean_28d"][-1].as_py())

    assert last_mean(long) == last_mean(recent), "to the last bit"


def test_a_day_not_worn_is_in_no_mean() -> None:
    days = table([{0: 100, 1: 900, 2: 300, 3: 5}])
    worn = pa.array([True, False, True, True])
    days = days.set_column(days.schema.get_field_index("worn"), "worn", worn)
    assert with_baselines(days)["steps_mean_7d"].to_pylist() == [None, 100.0, 100.0, 200.0]
