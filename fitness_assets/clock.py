"""The current time. What depends on today's date reads it here, so that tests can set it."""

from datetime import UTC, date, datetime, tzinfo


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def today(zone: tzinfo) -> date:
    """The current date in `zone`."""
    return now().astimezone(zone).date()
