"""Months outside the configured range: which they are, and which settings would include them."""

from collections.abc import Collection

from fitness_assets import clock, months
from fitness_assets.settings import Settings


def outside_note(settings: Settings, changed: Collection[str]) -> str | None:
    """One line that names those of the months `changed` that are not materialized; None if all are.

    It says which settings include them, and the command to run then. A month that has not begun
    cannot be included.
    """
    outside = sorted(set(changed) - set(settings.months()))
    if not outside:
        return None
    note = (
        f"not in the range FITNESS_FIRST_MONTH={settings.first_month} to "
        f"FITNESS_LAST_MONTH={settings.last_month}, not materialized: {months.spans(outside)}"
    )
    hints = range_hints(settings, outside)
    if not hints:
        return note
    it = "it" if len(outside) == 1 else "them"
    return f"{note}; to include {it}, {hints}, then run `fitness backfill --stale`"


def range_hints(settings: Settings, outside: Collection[str]) -> str:
    """The settings that include the months `outside`, as part of a sentence; empty if none do."""
    current = months.key(clock.today(settings.zone))
    begun = [month for month in outside if month <= current]
    if not begun:
        return ""
    values = []
    if min(begun) < settings.first_month:
        values.append(f"FITNESS_FIRST_MONTH={min(begun)}")
    if max(begun) == current and settings.last_month != "now":
        values.append("FITNESS_LAST_MONTH=now")
    elif not settings.is_open and max(begun) > settings.last_month:
        values.append(f"FITNESS_LAST_MONTH={max(begun)}")
    hints = f"set {' '.join(values)}" if values else ""
    if max(begun) == current and hints:
        hints += f" ({current} has not ended: it is materialized to date)"
    return hints
