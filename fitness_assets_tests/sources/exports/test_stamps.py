from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.sources.exports.stamps import StampClock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("stamp", "local"),
    [
        ("2024-07-15 18:30:00 +0200", "2024-07-15 18:30"),
        ("2024-07-15 18:30:00", "2024-07-15 18:30"),
        ("2024-07-15 6:30:00 PM +0200", "2024-07-15 18:30"),
        ("2024-07-15 6:30:00\u202fPM +0200", "2024-07-15 18:30"),
        ("2024-07-15 6:30:00\u00a0p.m. +02:00", "2024-07-15 18:30"),
        ("2024-07-15 12:30:00 AM +0200", "2024-07-15 00:30"),
        # Written abroad, or by a phone that was in summer time at the export.
        ("2024-07-15 06:30:00 +0900", "2024-07-14 23:30"),
        ("2024-01-16 00:30:00 +0200", "2024-01-15 23:30"),
        # The hour that a day of autumn has twice.
        ("2024-10-27 02:30:00 +0200", "2024-10-27 02:30"),
        ("2024-10-27 02:30:00 +0100", "2024-10-27 02:30"),
    ],
)
def test_a_timestamp_is_converted_to_the_users_time(stamp: str, local: str) -> None:
    clock = StampClock(BERLIN)
    # Once as a new hour, and once as a known one.
    for _ in range(2):
        assert f"{clock.moment(stamp).local:%Y-%m-%d %H:%M}" == local
        minute = EPOCH + timedelta(minutes=clock.local_minute(stamp))
        assert f"{minute:%Y-%m-%d %H:%M}" == local
