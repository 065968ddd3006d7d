"""SQLite databases of exports, which are not trusted.

A database is copied to a temporary file and opened read-only, without its journal. Only plain
tables are read, each from its start to its end, within limits on the size of a value, the number of
rows and the time. Nothing that a database declares is executed: no view, trigger, function of a
column or extension.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.text import shorten

MAGIC = b"SQLite format 3\0"
#: Years of heart rates by the second are below these limits.
MAX_BYTES = 4 << 30
MAX_VALUE_BYTES = 16 << 20
MAX_ROWS = 100_000_000
MAX_SECONDS = 1_200
_MAX_TABLES, _MAX_COLUMNS, _MAX_SQL = 2_000, 200, 100_000
_BUFFER_BYTES = 1 << 20
_CACHE_KIB = 16_000
# Instructions of SQLite's machine between two looks at the clock.
_INSTRUCTIONS = 100_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: _MAX_SQL,
    sqlite3.SQLITE_LIMIT_COLUMN: _MAX_COLUMNS,
    # The declarations of views are parsed, although views are not read.
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_PRAGMAS = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "query_only = ON",
    "mmap_size = 0",
    f"cache_size = -{_CACHE_KIB}",
)
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
# What `PRAGMA table_xinfo` says of an ordinary column; others are computed or hidden.
_ORDINARY = 0


class Database:
    """The tables of one database.

    Parameters
    ----------
    connection : sqlite3.Connection
    name : str
        Of the file, for messages.

    Attributes
    ----------
    tables : dict
        By name in lower case and without ``_``, the name of each table, view and virtual table:
        versions of an app differ in how they write names.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._rows_left = MAX_ROWS
        found = self._fetch("SELECT name, type, rootpage FROM sqlite_master LIMIT ?", _MAX_TABLES)
        self._plain: set[str] = set()
        self.tables: dict[str, str] = {}
        for table, kind, root in found:
            if isinstance(table, str) and kind in {"table", "view"}:
                self.tables[_key(table)] = table
                if kind == "table" and isinstance(root, int) and root > 0:
                    self._plain.add(table)

    def has(self, table: str) -> bool:
        """Whether there is a table of this name."""
        return _key(table) in self.tables

    def rows(
        self, table: str, required: Sequence[str], optional: Sequence[str] = ()
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The rows of a table, each with its place; none if there is no such table.

        Parameters
        ----------
        table : str
        required, optional : sequence of str
            Columns. An optional one that the table lacks is None.

        Raises
        ------
        SourceError
            If it is not a plain table, lacks a column, is damaged, or is over a limit.
        """
        name = self.tables.get(_key(table))
        if name is None:
            return
        if name not in self._plain:
            raise SourceError(f"{self._name}: {table} is a view or a virtual table, not a table")
        columns = self._columns(name)
        missing = [each for each in required if each not in columns]
        if missing:
            raise SourceError(f"{self._name}: {table} has no column {', '.join(missing)}")
        chosen = [*required, *(each for each in optional if each in columns)]
        absent = dict.fromkeys(each for each in optional if each not in columns)
        selected = ", ".join(_quoted(columns[each]) for each in chosen)
        query = f"SELECT {selected} FROM {_quoted(name)} NOT INDEXED"  # noqa: S608 - quoted names
        for number, row in enumerate(self._execute(query), start=1):
            yield f"{table}, row {number}", dict(zip(chosen, row, strict=True)) | absent

    def _columns(self, table: str) -> dict[str, str]:
        """The ordinary columns by name in lower case."""
        query = f"PRAGMA table_xinfo({_quoted(table)})"
        found = self._fetch(query)
        return {
            str(name).lower(): str(name)
            for _, name, _, _, _, _, hidden in found
            if hidden == _ORDINARY
        }

    def _fetch(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query on the schema."""
        self._connection.set_authorizer(None)
        try:
            return self._connection.execute(query, parameters).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            raise _unreadable(self._name, error) from error
        finally:
            self._connection.set_authorizer(_authorize)

    def _execute(self, query: str) -> Iterator[tuple[Any, ...]]:
        try:
            for row in self._connection.execute(query):
                self._rows_left -= 1
                if self._rows_left < 0:
                    raise SourceError(f"{self._name} has more than {MAX_ROWS:,} rows")
                yield row
        except (sqlite3.Error, OverflowError) as error:
            raise _unreadable(self._name, error) from error


@contextmanager
def open_database(member: Member, *, counted: bool = True) -> Iterator[Database]:
    """The database of a member.

    Parameters
    ----------
    member : Member
    counted : bool
        As in `Member.open`.

    Raises
    ------
    SourceError
        If it is no database, damaged, or over a limit.
    """
    if member.size > MAX_BYTES:
        raise SourceError(f"{member.name} is {member.size:,} bytes; the limit is {MAX_BYTES:,}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "database"
        _copy(member, path, counted=counted)
        uri = f"{path.as_uri()}?mode=ro&immutable=1"
        try:
            connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise _unreadable(member.name, error) from error
        with closing(connection):
            connection.text_factory = _decode
            for limit, value in _LIMITS.items():
                connection.setlimit(limit, value)
            end = time.monotonic() + MAX_SECONDS
            connection.set_progress_handler(lambda: time.monotonic() > end, _INSTRUCTIONS)
            try:
                for pragma in _PRAGMAS:
                    connection.execute(f"PRAGMA {pragma}")
            except sqlite3.Error as error:
                raise _unreadable(member.name, error) from error
            yield Database(connection, member.name)


@dataclass(frozen=True)
class TableReader:
    """Processes the rows of the tables of one member; what cannot be read is quarantined."""

    database: Database
    member: Member
    quarantine: Quarantine

    def process(
        self,
        table: str,
        process: Callable[[dict[str, Any]], Iterable[str]],
        required: Sequence[str],
        optional: Sequence[str] = (),
    ) -> None:
        """Process each row of a table.

        Parameters
        ----------
        table, required, optional
            As in `Database.rows`.
        process : callable
            As in `parsing.process_each`.
        """
        try:
            rows = self.database.rows(table, required, optional)
            parsing.process_each(self.member, rows, process, self.quarantine)
        except SourceError as error:
            self.quarantine(self.member.name, table, str(error))


def head_of(member: Member) -> bytes:
    """The first bytes of a member; of a database, followed by the names of its tables.

    The names may be anywhere in a database, and say which format it is.

    Raises
    ------
    SourceError
        If the member cannot be read, or is a database that cannot be opened.
    """
    head = member.head()
    if not head.startswith(MAGIC):
        return head
    with open_database(member, counted=False) as database:
        return b"\n".join([head, *(name.encode() for name in database.tables.values())])


def _copy(member: Member, path: Path, *, counted: bool) -> None:
    size = 0
    with member.open(counted=counted) as source, path.open("wb") as copy:
        while data := source.read(_BUFFER_BYTES):
            size += len(data)
            if size > MAX_BYTES:
                raise SourceError(f"{member.name} is over the limit of {MAX_BYTES:,} bytes")
            copy.write(data)


def _authorize(action: int, *_: object) -> int:
    """Allow reading, and nothing else."""
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _decode(text: bytes) -> str:
    return text.decode(errors="replace")


def _key(table: str) -> str:
    return table.replace("_", "").lower()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _unreadable(name: str, error: Exception) -> SourceError:
    reason = str(error)
    if reason == "interrupted":
        reason = f"it takes longer than {MAX_SECONDS:,} seconds"
    return SourceError(f"{name} cannot be read as an SQLite database: {shorten(Exception(reason))}")
