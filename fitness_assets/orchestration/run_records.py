"""What Dagster recorded of runs, without a user: databases, compute logs and other text files."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import sqlalchemy as sa

from fitness_assets.storage.publication import write_atomically
from fitness_assets.storage.trace_search import decompressed, in_value
from fitness_assets.storage.traces import Traces

_TEXT = (sa.String, sa.Text, sa.LargeBinary, sa.JSON)
_ROWS = 1_000
_BUSY_SECONDS = 60


def rewrite_records(instance: dg.DagsterInstance, home: Path, traces: Traces) -> int:
    """Replace the traces of a user in everything that Dagster recorded.

    The events stay, so that no asset loses its history.

    Parameters
    ----------
    instance : DagsterInstance
    home : Path
        Dagster's home.
    traces : Traces

    Returns
    -------
    int
        Number of rows and files that were rewritten.
    """
    count = 0
    for path in sorted(home.rglob("*.db")):
        engine = _sqlite(path)
        try:
            count += rewrite_database(engine, traces)
            _compact(engine, path, traces)
        finally:
            engine.dispose()
    for engine in _servers(instance):
        try:
            count += rewrite_database(engine, traces)
        finally:
            engine.dispose()
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.name.endswith((".db", ".db-wal", ".db-shm", ".lock")):
            content = path.read_bytes()
            if (rewritten := traces.rewrite_bytes(content)) != content:
                write_atomically(path, rewritten)
                count += 1
    return count


def search_servers(instance: dg.DagsterInstance, traces: Traces) -> Iterator[str]:
    """Where the database servers of the instance contain a trace; files are found as files."""
    for engine in _servers(instance):
        try:
            for table, columns in _tables(engine):
                with engine.connect() as connection:
                    for row in connection.execute(sa.select(*columns)):
                        found = [
                            column.name
                            for column, value in zip(columns, row, strict=True)
                            if in_value(value, traces)
                        ]
                        yield from (f"{engine.url!r} ({table.name}, {name})" for name in found)
        finally:
            engine.dispose()


def unreachable_records(instance: dg.DagsterInstance) -> list[str]:
    """What Dagster recorded and `rewrite_records` cannot reach."""
    found = []
    manager = type(instance.compute_log_manager).__name__
    if manager != "LocalComputeLogManager":
        found.append(f"the compute logs in {manager}")
    engines = _servers(instance)
    for engine in engines:
        found.append(f"the write-ahead log and the backups of the database {engine.url.database}")
        engine.dispose()
    return found


def rewrite_database(engine: sa.Engine, traces: Traces) -> int:
    """Replace the traces of a user in all texts of a database; return the number of rows."""
    count = 0
    for table, columns in _tables(engine):
        key: list[sa.ColumnElement[object]] = [*table.primary_key.columns] or [_row_id(engine)]
        changed = []
        with engine.connect() as connection:
            for row in connection.execute(sa.select(*key, *columns)).yield_per(_ROWS):
                values = dict(
                    zip((column.name for column in columns), row[len(key) :], strict=True)
                )
                new = {name: _rewritten(value, traces) for name, value in values.items()}
                if new != values:
                    changed.append((row[: len(key)], new))
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                # What a row held before is overwritten with zeros.
                connection.execute(sa.text("PRAGMA secure_delete = ON"))
            for place, new in changed:
                where = [column == value for column, value in zip(key, place, strict=True)]
                connection.execute(sa.update(table).where(*where).values(new))
        if changed and engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                # Without FULL the old versions of the rows stay in the files.
                connection.execute(sa.text(f'VACUUM FULL "{table.name}"'))
        count += len(changed)
    return count


def _tables(engine: sa.Engine) -> Iterator[tuple[sa.Table, list[sa.Column[object]]]]:
    """The tables of a database that have columns of text or bytes, and these columns."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    for table in metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, _TEXT)]
        if columns:
            yield table, columns


def _row_id(engine: sa.Engine) -> "sa.ColumnElement[object]":
    return sa.literal_column("rowid" if engine.dialect.name == "sqlite" else "ctid")


def _rewritten(value: object, traces: Traces) -> object:
    if isinstance(value, str):
        return traces.rewrite(value)
    if isinstance(value, bytes):
        inner = decompressed(value)
        content = value if inner is None else inner
        new = traces.rewrite_bytes(content)
        if new == content:
            return value
        return new if inner is None else zlib.compress(new)
    return value


def _sqlite(path: Path) -> sa.Engine:
    arguments = {"timeout": _BUSY_SECONDS}
    return sa.create_engine(f"sqlite:///{path}", connect_args=arguments, poolclass=sa.NullPool)


def _compact(engine: sa.Engine, path: Path, traces: Traces) -> None:
    """Remove what deleted rows left in the files of a database."""
    log = path.with_name(f"{path.name}-wal")
    files = [file for file in (path, log) if file.exists()]
    if not any(traces.may_be_in_pages(file.read_bytes()) for file in files):
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM"))
        connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _servers(instance: dg.DagsterInstance) -> list[sa.Engine]:
    """The databases of the instance that are not files."""
    storages = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    urls = {getattr(storage, "postgres_url", None) for storage in storages}
    return [sa.create_engine(url) for url in sorted(filter(None, urls))]
