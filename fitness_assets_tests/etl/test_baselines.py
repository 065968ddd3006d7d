from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.etl import baselines

FIRST = date(2023, 3, 1)

#: Days after FIRST, each with its steps, of one person.
PERSON = st.dictionaries(
    st.integers(0, 60), st.none() | st.integers(0, 100_000), min_size=1, max_size=61
)


def table(people: list[dict[int, int | None]]) -> pa.Table:
    rows = [
        (f"u{number:02d}", FIRST + timedelta(day), steps)
        for number, days in enumerate(people)
        for day, steps in sorted(days.items())
    ]
    users, dates, steps = zip(*rows, strict=True)
    exact = pa.array(steps, pa.float64())
    return pa.table(
        {
            "user_id": users,
            "date": pa.array(dates, pa.date32()),
            "steps": pa.array(steps, pa.int32()),
            "calories_burned": exact,
            "resting_heart_rate": exact,
        }
    )


@given(people=st.lists(PERSON, min_size=1, max_size=4))
def test_a_baseline_is_the_mean_of_the_known_days_before(
    people: list[dict[int, int | None]],
) -> None:
    days = baselines.with_baselines(table(people))
    for name, _, window in baselines.COLUMNS:
        expected = []
        for person in people:
            for day in sorted(person):
                before = [person.get(day - back) for back in range(1, window + 1)]
                known = [steps for steps in before if steps is not None]
                expected.append(sum(known) / len(known) if known else None)
        assert days[name].to_pylist() == pytest.approx(expected), name


def test_a_mean_does_not_depend_on_what_lies_before_its_window() -> None:
    noise = np.random.default_rng(0)
    recent = dict.fromkeys(range(30, 60))
    long = dict.fromkeys(range(30), 1) | recent
    values = noise.uniform(40, 80, 60)

    def last(person: dict[int, int | None]) -> float:
        days = table([person])
        column = pa.array(values[-days.num_rows :])
        days = days.set_column(4, "resting_heart_rate", column)
        return float(baselines.with_baselines(days)["resting_heart_rate_mean_28d"][-1].as_py())

    assert last(long) == last(recent), "to the last bit"
