"""Checks of Dagster: its settings, its daemon, and the runs that failed last."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import yaml

from fitness_assets import clock
from fitness_assets.diagnosis.finding import Finding, fault, ok, warning
from fitness_assets.formatting import minutes
from fitness_assets.orchestration import locks
from fitness_assets.orchestration.instance import launcher_hint
from fitness_assets.orchestration.locks import SERVE_LOCK
from fitness_assets.orchestration.stored_runs import heartbeats, last_failures
from fitness_assets.settings import Settings

#: Dagster's daemon reports every 30 seconds, and counts as ended after 5 minutes.
_LATE = timedelta(minutes=5)
_MAX_FAILURES = 5


def check_dagster_settings(settings: Settings) -> Iterator[Finding]:
    """Whether ``dagster.yaml`` can be used."""
    path = _settings_file(settings)
    if not path.exists():
        yield ok(f"{path} does not exist yet; the first command creates it")
        return
    try:
        hint = launcher_hint(path)
    except (yaml.YAMLError, AttributeError, TypeError, UnicodeDecodeError):
        yield fault(
            f"{path} is not a YAML mapping",
            "correct it, or delete it; the next command then writes the default",
        )
        return
    if hint is not None:
        text, _, advice = hint.partition("; ")
        yield warning(text, advice)
    else:
        yield ok(f"{path} names a run launcher")


def check_daemon(settings: Settings) -> Iterator[Finding]:
    """Whether the daemon of a served home gives signs of life."""
    served = locks.is_held(settings.dagster_home / SERVE_LOCK)
    if _is_elsewhere(settings):
        yield _elsewhere("daemon")
        return
    try:
        latest = heartbeats(settings.dagster_home)
    except sqlite3.Error as error:
        yield _damaged(settings, error)
        return
    now = clock.now()
    late = {name: now - time for name, time in latest.items() if now - time > _LATE}
    if not latest or len(late) == len(latest):
        since = f"; last sign of life {_ago(min(late.values()))}" if late else ""
        if served:
            yield fault(f"the daemon of the served home does not report{since}", _RESTART)
        else:
            yield ok(f"not running{since}; `fitness serve` starts it")
    elif late:
        yield warning(f"these parts do not report any more: {', '.join(sorted(late))}", _RESTART)
    else:
        youngest = min(now - time for time in latest.values())
        yield ok(f"last sign of life {_ago(youngest)}")


_RESTART = "restart `fitness serve`, if it started more than a minute ago"


def _ago(duration: timedelta) -> str:
    count = duration / timedelta(minutes=1)
    return "less than a minute ago" if count < 1 else f"{minutes(count)} ago"


def check_failures(settings: Settings) -> Iterator[Finding]:
    """The runs that failed last, and were not repeated with success."""
    if _is_elsewhere(settings):
        yield _elsewhere("failed runs")
        return
    try:
        failures = last_failures(settings.dagster_home, _MAX_FAILURES)
    except sqlite3.Error as error:
        yield _damaged(settings, error)
        return
    for failure in failures:
        yield warning(
            f"{failure.ended:%Y-%m-%d %H:%M} UTC, {failure.run}: {failure.reason}",
            "correct the cause, then run `fitness backfill --stale`, or the month again",
        )
    if not failures:
        yield ok("no run failed since it last succeeded")


def _settings_file(settings: Settings) -> Path:
    return settings.dagster_home / "dagster.yaml"


def _is_elsewhere(settings: Settings) -> bool:
    """Whether Dagster's records are in a database server or another folder."""
    try:
        content = yaml.safe_load(_settings_file(settings).read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(content, dict) and any(
        name in content for name in ("storage", "run_storage", "event_log_storage")
    )


def _elsewhere(what: str) -> Finding:
    return warning(
        f"{what} not checked: dagster.yaml keeps Dagster's records in another storage",
        "look at Runs and at Deployment in the Dagster UI",
    )


def _damaged(settings: Settings, error: sqlite3.Error) -> Finding:
    return fault(
        f"Dagster's database below {settings.dagster_home} cannot be read: {error}",
        "check the owner and the disk; if it is damaged, move the folder away and run "
        "`fitness backfill`",
    )
