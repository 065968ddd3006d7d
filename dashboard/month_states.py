"""The state of each month: released, with a fallback, partial, outdated, refused or missing."""

from collections.abc import Mapping, Sequence

import pandas as pd

from dashboard.text import so_far
from fitness_assets import months
from fitness_assets.release.bundle import Release
from fitness_assets.release.pointer import LATEST


def month_states(releases: Sequence[Release], refused: Mapping[str, str]) -> pd.DataFrame:
    """One row a month between the first and the last.

    Parameters
    ----------
    releases : sequence of Release
    refused : mapping
        By month, why its newest release was refused.

    Returns
    -------
    DataFrame
        ``month``, ``state`` (a key of `dashboard.charts.overview.STATES`) and ``details``.
    """
    known = {release.month: release for release in releases}
    named = sorted({*known, *(month for month in refused if month != LATEST)})
    if not named:
        return pd.DataFrame({"month": [], "state": [], "details": []})
    rows = []
    for month in months.between(named[0], named[-1]):
        state, details = "not released", "there is no release of this month"
        if month in refused:
            state, details = "refused", refused[month]
        elif month in known:
            state, details = _state(known[month], known)
        rows.append({"month": month, "state": state, "details": details})
    return pd.DataFrame(rows)


def _state(release: Release, known: Mapping[str, Release]) -> tuple[str, str]:
    info = release.info
    changed = {
        month
        for versions in info.learned_from.values()
        for month, version in versions.items()
        if month in known and known[month].info.upstream["daily_activity"] != version
    }
    if changed:
        return "outdated", f"models trained on an earlier version of {', '.join(sorted(changed))}"
    checks = info.checks
    failed = [name for name, passed in checks.items() if not passed]
    details = f"{len(checks) - len(failed)} of {len(checks)} checks passed"
    if failed:
        details += f", failed: {', '.join(failed)}"
    if info.partial_until is not None:
        return "partial", f"{so_far(info.partial_until)}; {details}"
    if info.fallbacks:
        models = ", ".join(f"{name} from {month}" for name, month in info.fallbacks.items())
        return "with a fallback model", f"{details}; {models}"
    return "released", details
