from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.sources.exports.sleep import NIGHT_GAP, Interval, State, nights

DAY = date(2023, 4, 2)
MINUTES = 8 * 60


def interval(start: int, end: int, state: State = State.ASLEEP) -> Interval:
    """An interval in minutes of one night, whose first two hours are before midnight."""
    day = date(2023, 4, 1 if end < 120 else 2)
    return Interval(start * 60.0, end * 60.0, state, day)


def hours(intervals: list[Interval]) -> list[tuple[date, float]]:
    """The day of waking and the hours asleep of each night."""
    return [(day, night.hours) for day, night in nights(intervals)]


@given(
    cuts=st.lists(st.integers(0, MINUTES), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_pieces_of_a_night_add_up_to_its_length(cuts: list[int], order: Any) -> None:
    pieces = [interval(*edges) for edges in pairwise(sorted({0, MINUTES, *cuts}))]
    order.shuffle(pieces)
    for intervals in (pieces, [*pieces, interval(0, MINUTES)], [*pieces, *pieces]):
        ((day, night),) = nights(intervals)
        assert day == DAY
        assert night.hours == pytest.approx(8)


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 30), st.sampled_from(State)),
        min_size=1,
        max_size=15,
    )
)
def test_a_minute_counts_if_it_is_asleep_and_not_awake(found: list[tuple[int, int, State]]) -> None:
    intervals = [interval(start, start + length, state) for start, length, state in found]
    minutes = {
        state: {
            minute
            for start, length, each in found
            if each is state
            for minute in range(start, start + length)
        }
        for state in State
    }
    asleep = minutes[State.ASLEEP] | minutes[State.DEEP] | minutes[State.LIGHT] | minutes[State.REM]
    expected = len(asleep - minutes[State.AWAKE]) / 60
    assert sum(night.hours for _, night in nights(intervals)) == pytest.approx(expected)


def test_a_gap_separates_two_nights_and_time_in_bed_joins_them() -> None:
    nap = interval(MINUTES + NIGHT_GAP // 60 + 1, MINUTES + NIGHT_GAP // 60 + 31)
    assert hours([interval(0, MINUTES), nap]) == [(DAY, 8.0), (DAY, 0.5)]
    in_bed = interval(0, MINUTES + 60, State.IN_BED)
    assert hours([interval(0, MINUTES), in_bed, nap]) == [(DAY, 8.5)]
    assert nights([in_bed, interval(0, 60, State.AWAKE)]) == []
