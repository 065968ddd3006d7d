from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.sources.exports.local_time import Clock, local_seconds

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/Havana",
        "Asia/Kathmandu",
    ]
).map(ZoneInfo)
INSTANTS = st.integers(
    int(datetime(2005, 1, 1, tzinfo=UTC).timestamp()),
    int(datetime(2035, 1, 1, tzinfo=UTC).timestamp()),
)


@given(INSTANTS, ZONES)
def test_the_local_day_is_that_of_the_zone(instant: int, zone: ZoneInfo) -> None:
    local = datetime.fromtimestamp(instant, zone)
    clock = Clock(ZoneInfo("UTC"), zone)
    assert clock.local_date(instant) == local.date()
    assert clock.to_local(instant) == local_seconds(local)
    assert clock.instant(instant) == instant


@given(INSTANTS, ZONES)
def test_a_local_time_converts_back_to_its_instant_even_in_an_hour_shown_twice(
    instant: int, zone: ZoneInfo
) -> None:
    clock = Clock(zone, zone)
    shown = clock.to_local(instant)
    both = {clock.instant(shown), clock.instant(shown, fold=True)}
    assert instant in both
    fold = datetime.fromtimestamp(instant, zone).fold == 1
    assert clock.instant(shown, fold=fold) == instant


@pytest.mark.parametrize(
    ("zone", "stamp", "utc"),
    [
        # The clock went from 02:00 to 03:00: 02:30 is read with the old offset.
        ("Europe/Berlin", "2021-03-28 02:30", "2021-03-28 01:30"),
        ("Europe/Berlin", "2021-03-28 01:59", "2021-03-28 00:59"),
        ("Europe/Berlin", "2021-03-28 03:00", "2021-03-28 01:00"),
        ("Australia/Lord_Howe", "2021-10-03 02:15", "2021-10-02 15:45"),
        # The zone skipped a whole day.
        ("Pacific/Apia", "2011-12-31 00:00", "2011-12-30 10:00"),
    ],
)
def test_timestamps_around_a_gap_use_the_old_offset(zone: str, stamp: str, utc: str) -> None:
    clock = Clock(ZoneInfo(zone), ZoneInfo(zone))
    assert clock.instant(local_seconds(datetime.fromisoformat(stamp))) == local_seconds(
        datetime.fromisoformat(utc)
    )
