"""Keep the connections to Dagster's SQLite databases open while a run is executed.

Dagster opens a connection for each query and closes it afterwards, so that SQLite moves its
write-ahead log into the database each time, and SQLAlchemy compiles each statement again. A run of
a small month stores about 100 events, which then take longer than the month itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS

from fitness_assets.storage.publication import write_atomically

#: The content of the database of a run without events, once this process has created one.
_empty_database: list[bytes] = []


@contextmanager
def kept_connections(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep connections open until the end of the context. Other databases than SQLite are left."""
    with ExitStack() as stack:
        events, runs = instance.event_log_storage, instance.run_storage
        if isinstance(events, SqliteEventLogStorage):
            stack.enter_context(_kept_events(events))
        if isinstance(runs, SqliteRunStorage):
            stack.enter_context(_kept_runs(runs))
        yield


@contextmanager
def _kept_events(storage: SqliteEventLogStorage) -> Iterator[None]:
    """Replace `_connect`, which all queries use, by one that keeps two engines.

    One is for the database of all assets, one for that of the run whose events were stored last. It
    has compiled the statements, and connects to another database when the next run begins.
    """
    index = _engine(storage.conn_string_for_shard(INDEX_SHARD_NAME))
    runs = _engine("sqlite://")
    run = ""

    @sa.event.listens_for(runs, "do_connect")
    def _(_dialect: object, _record: object, arguments: list[str], _options: object) -> None:
        arguments[:] = [storage.path_for_shard(run)]

    @contextmanager
    def connect(shard: str) -> Iterator[sa.Connection]:
        nonlocal run
        with storage._db_lock:  # noqa: SLF001
            engine = index if shard == INDEX_SHARD_NAME else runs
            if engine is runs and shard != run:
                runs.dispose()
                run = shard
            if shard not in storage._initialized_dbs:  # noqa: SLF001
                _create(storage, shard, engine)
                storage._initialized_dbs.add(shard)  # noqa: SLF001
            with engine.connect() as connection, connection.begin():
                yield connection

    with ExitStack() as stack:
        stack.callback(index.dispose)
        stack.callback(runs.dispose)
        stack.enter_context(_replaced(storage, "_connect", connect))
        # Dagster asks at each event, with a new engine. No table is added or removed meanwhile.
        stack.enter_context(_replaced(storage, "has_table", cache(storage.has_table)))
        yield


def _create(storage: SqliteEventLogStorage, shard: str, engine: sa.Engine) -> None:
    """Create the database of a run, unless it exists.

    Dagster reads all its schema migrations for each. The first of a process is created by Dagster,
    and the others are copies of it.
    """
    path = Path(storage.path_for_shard(shard))
    if path.exists() or not _empty_database:
        is_new = not path.exists()
        storage._initdb(engine)  # noqa: SLF001
        if is_new and shard != INDEX_SHARD_NAME:
            with closing(sqlite3.connect(path)) as connection:
                _empty_database[:] = [connection.serialize()]
        return
    write_atomically(path, _empty_database[0])


@contextmanager
def _kept_runs(storage: SqliteRunStorage) -> Iterator[None]:
    engine = _engine(storage._conn_string)  # noqa: SLF001

    @contextmanager
    def connect() -> Iterator[sa.Connection]:
        with engine.connect() as connection, connection.begin():
            yield connection

    try:
        with _replaced(storage, "connect", connect):
            yield
    finally:
        engine.dispose()


@contextmanager
def _replaced(storage: object, name: str, function: Any) -> Iterator[None]:
    """Replace a method of one object. Nested, the connections that are already kept are used."""
    if name in vars(storage):
        yield
        return
    setattr(storage, name, function)
    try:
        yield
    finally:
        delattr(storage, name)


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(
        url,
        poolclass=sa.QueuePool,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        # With a write-ahead log a commit is not lost when a process is killed. When the machine
        # loses power, the last events may be; what is stored of a month does not depend on them.
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine
