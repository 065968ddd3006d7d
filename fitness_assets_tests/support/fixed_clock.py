"""A fixed current time, for the platform and for Dagster."""

from datetime import UTC, datetime

import pytest

from fitness_assets import clock


def set_time(monkeypatch: pytest.MonkeyPatch, now: str) -> datetime:
    """Make `now`, such as ``2024-02-29 12:00`` in UTC, the time of the platform and of Dagster."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: moment)
    monkeypatch.setattr("dagster._time._mockable_get_current_datetime", lambda: moment)
    return moment
