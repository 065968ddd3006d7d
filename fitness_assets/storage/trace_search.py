"""Search folders for what is left of a user, in names and contents of files of any format."""

import gzip
import io
import lzma
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets.storage.traces import Traces

_SQLITE = b"SQLite format 3\0"
_GZIP, _XZ, _ZIP, _PARQUET = b"\x1f\x8b", b"\xfd7zXZ\0", b"PK\x03\x04", b"PAR1"
_HEADER_BYTES = 16
# Read at a time. The part before is read again, so that nothing on the border is missed.
_CHUNK_BYTES = 64_000_000
_OVERLAP_BYTES = 1_000
_MAX_DEPTH = 4
_USER_COLUMNS = {"user_id", "user"}


def search(folder: Path, traces: Traces) -> Iterator[str]:
    """Where files below `folder` contain a trace: paths, with the part inside the file."""
    for path in sorted(folder.rglob("*")):
        if traces.in_text(path.name):
            yield f"{path} (its name)"
        if path.is_file() and not path.is_symlink():
            try:
                yield from (f"{path}{part}" for part in search_file(path, traces))
            except FileNotFoundError:
                continue  # replaced or removed meanwhile
            except OSError as error:
                yield f"{path} (it cannot be read: {error.strerror or error})"


def search_file(path: Path, traces: Traces) -> Iterator[str]:
    """The parts of a file that contain a trace; an empty text for the file as a whole."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header.startswith((_PARQUET, _ZIP, _GZIP, _XZ)):
        yield from _in_content(path, header, traces, 0)
        return
    if header == _SQLITE:
        yield from in_sqlite(path, traces)
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(_CHUNK_BYTES):
            if traces.in_bytes(before + chunk):
                yield ""
                return
            before = chunk[-_OVERLAP_BYTES:]


def in_sqlite(path: Path, traces: Traces) -> Iterator[str]:
    """Names of the tables and columns of a SQLite file that contain a trace."""
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)
    try:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of the schema
            names = [column[0] for column in rows.description]
            found = {
                name
                for row in rows
                for name, value in zip(names, row, strict=True)
                if in_value(value, traces)
            }
            yield from (f" (table {table}, column {name})" for name in sorted(found))
    except sqlite3.DatabaseError as error:
        yield f" (it cannot be read: {error})"
    finally:
        database.close()


def in_value(value: object, traces: Traces) -> bool:
    """Whether a value of a database, text or bytes that may be compressed, contains a trace."""
    if isinstance(value, str):
        return traces.in_text(value)
    if isinstance(value, bytes):
        return traces.in_bytes(decompressed(value) or value)
    return False


def decompressed(value: bytes) -> bytes | None:
    """The bytes that were compressed with zlib to `value`; None if they were not."""
    try:
        return zlib.decompress(value)
    except zlib.error:
        return None


def _in_content(content: Path | bytes, header: bytes, traces: Traces, depth: int) -> Iterator[str]:
    """Where one file, or a file in an archive, contains a trace."""
    source = content if isinstance(content, Path) else io.BytesIO(content)
    try:
        if header.startswith(_PARQUET):
            yield from _in_parquet(source, traces)
        elif header.startswith(_ZIP) and depth < _MAX_DEPTH:
            yield from _in_zip(source, traces, depth)
        elif header.startswith((_GZIP, _XZ)) and depth < _MAX_DEPTH:
            opened = gzip.open if header.startswith(_GZIP) else lzma.open
            with opened(source, "rb") as file:
                inner = file.read()
            yield from _in_content(inner, inner[:_HEADER_BYTES], traces, depth + 1)
        elif isinstance(content, bytes) and traces.in_bytes(content):
            yield ""
    except (pa.ArrowException, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        yield f" (it cannot be read: {error})"


def _in_zip(source: Path | io.BytesIO, traces: Traces, depth: int) -> Iterator[str]:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            if traces.in_text(member.filename):
                yield f" ({member.filename}, its name)"
            if member.flag_bits & 1:
                yield f" ({member.filename} is encrypted)"
                continue
            inner = archive.read(member)
            for part in _in_content(inner, inner[:_HEADER_BYTES], traces, depth + 1):
                yield f" ({member.filename}{part})"


def _in_parquet(source: Path | io.BytesIO, traces: Traces) -> Iterator[str]:
    with pq.ParquetFile(source) as file:
        metadata = file.metadata.metadata or {}
        if any(traces.in_bytes(value) for value in metadata.values()):
            yield " (metadata)"
        names = [field.name for field in file.schema_arrow if _has_text(field.type)]
        found = set()
        for batch in file.iter_batches(columns=names):
            for name in names:
                values = pc.unique(_flat(batch.column(name))).to_pylist()
                if any(_in_cell(name, value, traces) for value in values if value is not None):
                    found.add(name)
        yield from (f" (column {name})" for name in sorted(found))


def _in_cell(column: str, value: object, traces: Traces) -> bool:
    if column in _USER_COLUMNS and isinstance(value, str) and traces.is_id(value):
        return True
    return in_value(value, traces)


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _has_text(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _has_text(kind.value_type)
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _flat(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        return values.dictionary
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        return _flat(pc.list_flatten(values))
    return values
