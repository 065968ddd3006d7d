"""What Dagster's databases of files say of its daemon and of failed runs, read without a change.

Opening a Dagster instance creates databases and settings that are missing.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.events.log import EventLogEntry
from dagster._serdes import deserialize_value

from fitness_assets.orchestration.failures import first_failure
from fitness_assets.orchestration.run_tags import PROCESS_ENDED_TAG, describe_run

_BUSY_SECONDS = 5.0
_FAILURES = ("STEP_FAILURE", "PIPELINE_FAILURE")


@dataclass(frozen=True)
class Failure:
    """A run that failed.

    Attributes
    ----------
    ended : datetime
    run : str
        Its job and months.
    reason : str
        One line.
    """

    ended: datetime
    run: str
    reason: str


def heartbeats(dagster_home: Path) -> dict[str, datetime]:
    """The latest sign of life of each part of the daemon; empty if it never ran."""
    with _reading(dagster_home / "history" / "runs.db") as database:
        rows = _rows(database, "SELECT daemon_type, timestamp FROM daemon_heartbeats")
        return {
            str(name): datetime.fromisoformat(str(time)).replace(tzinfo=UTC) for name, time in rows
        }


def last_failures(dagster_home: Path, limit: int) -> list[Failure]:
    """The failed runs after which no run of the same job and months succeeded, newest first."""
    found: list[Failure] = []
    succeeded = set()
    with _reading(dagster_home / "history" / "runs.db") as database:
        for body, updated in _rows(
            database,
            "SELECT run_body, update_timestamp FROM runs WHERE status IN ('SUCCESS', 'FAILURE') "
            "ORDER BY id DESC",
        ):
            run = deserialize_value(str(body), dg.DagsterRun)
            what = describe_run(run)
            if run.status == dg.DagsterRunStatus.SUCCESS:
                succeeded.add(what)
            elif what not in succeeded:
                ended = datetime.fromisoformat(str(updated)).replace(tzinfo=UTC)
                found.append(Failure(ended, what, _reason(dagster_home, run)))
                if len(found) == limit:
                    break
    return found


def _reason(dagster_home: Path, run: dg.DagsterRun) -> str:
    if PROCESS_ENDED_TAG in run.tags:
        return "its process was killed, for example because the memory was full"
    path = dagster_home / "history" / "runs" / f"{run.run_id}.db"
    with _reading(path) as database:
        rows = _rows(
            database,
            "SELECT event FROM event_logs WHERE dagster_event_type IN (?, ?) ORDER BY id",
            *_FAILURES,
        )
        entries = [deserialize_value(str(event), EventLogEntry) for (event,) in rows]
    return first_failure([each.dagster_event for each in entries if each.dagster_event], run.run_id)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database of SQLite for reading; one without tables if there is none.

    Without a write-ahead log no process has it open, and SQLite must create no file next to it.
    """
    if not path.exists():
        address = "file::memory:"
    else:
        log = path.with_name(f"{path.name}-wal")
        address = f"{path.absolute().as_uri()}?{'mode=ro' if log.exists() else 'immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)) as database:
        yield database


def _rows(database: sqlite3.Connection, query: str, *values: str) -> list[tuple[object, ...]]:
    """The rows of a query; none if the database has no tables yet."""
    if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
        return []
    return database.execute(query, values).fetchall()
