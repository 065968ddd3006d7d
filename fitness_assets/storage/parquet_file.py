"""Read a Parquet file within limits: from its bytes alone it may be much larger than it seems.

A few kilobytes can claim pages of gigabytes, billions of rows of one repeated value, or rows that
each refer to one long text. Sizes are therefore checked in the metadata and in the header of every
page, before anything is decompressed.
"""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fitness_assets.errors import StorageError
from fitness_assets.storage.thrift import Reader

# Takes as long to import as the rest of the platform's command line.
if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

#: Limits on one table. The largest of a release, the days of 1,959 users, has 59,000 rows, 20
#: columns and 15 row groups; 1.5 MB, 2 MB without compression, and 36 kB of metadata.
MAX_BYTES = 16_000_000
MAX_ROWS = 500_000
_MAX_CELLS = 5_000_000
_MAX_COLUMNS = 256
_MAX_PAGE_BYTES = 32_000_000
_MAX_TEXT_BYTES = 32_000_000
_MAX_METADATA_BYTES = 500_000
_MAX_LIST, _MAX_STRING = 2_000, 200_000

# The end of a file: the length of the metadata, and the magic bytes.
_END_BYTES = 8
_MAGIC = b"PAR1"
_CODECS = {"UNCOMPRESSED", "SNAPPY", "ZSTD"}
_TYPES = {"BOOLEAN", "INT32", "INT64", "FLOAT", "DOUBLE", "BYTE_ARRAY"}

# https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift: the fields
# of `PageHeader` that are read, and of `DataPageHeader` and `DictionaryPageHeader` within it.
_TYPE, _SIZE, _COMPRESSED_SIZE, _DATA_HEADER, _DICTIONARY_HEADER = 1, 2, 3, 5, 7
_VALUES, _ENCODING = 1, 2
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
# PLAIN, PLAIN_DICTIONARY, RLE and RLE_DICTIONARY, which Arrow writes by default.
_ENCODINGS = {0, 2, 3, 8}


def read(
    content: bytes, name: str, columns: Sequence[str] | None = None, filters: Any = None
) -> "pd.DataFrame":
    """The table in `content`.

    Parameters
    ----------
    content : bytes
        May come from an untrusted source.
    name : str
        Name of the table in error messages.
    columns : sequence of str, optional
        Columns to read; all by default.
    filters : optional
        The rows to read, as in `pyarrow.parquet.read_table`.

    Raises
    ------
    StorageError
        If `content` is not a Parquet file, or exceeds a limit of this module.
    """
    import pyarrow.parquet as pq

    try:
        _check_text(_open(content), content)
        names = None if columns is None else list(columns)
        table = pq.read_table(io.BytesIO(content), columns=names, filters=filters)
        # The metadata of pandas in a file could add an index or change types.
        frame: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
    except Exception as error:  # damaged bytes can make Arrow raise anything
        raise _refusal(name, error) from error
    return frame


class Checked(NamedTuple):
    """A table that was read once: its columns, its rows, and the bytes of all of its texts."""

    schema: "pa.Schema"
    rows: int
    text_bytes: int


def check(content: bytes, name: str) -> Checked:
    """Read all of a table once.

    Raises
    ------
    StorageError
        As `read`.
    """
    try:
        file = _open(content)
        schema = file.schema_arrow
        text_bytes = _check_text(file, content)
        others = [field.name for field in schema if not _is_text(field)]
        if others:
            file.read(columns=others, use_threads=False).validate(full=True)
    except Exception as error:  # damaged bytes can make Arrow raise anything
        raise _refusal(name, error) from error
    return Checked(schema, file.metadata.num_rows, text_bytes)


def _refusal(name: str, error: Exception) -> StorageError:
    return StorageError(f"{name} is not a table that may be read: {' '.join(str(error).split())}")


def _open(content: bytes) -> "pq.ParquetFile":
    """The file, after a check of its metadata and of the header of each page."""
    import pyarrow.parquet as pq

    if len(content) > MAX_BYTES:
        raise ValueError(f"it has {len(content):,} bytes, more than {MAX_BYTES:,}")
    if content[-4:] != _MAGIC or len(content) < _END_BYTES:
        raise ValueError("it is not a Parquet file")
    metadata_bytes = int.from_bytes(content[-_END_BYTES:-4], "little")
    if metadata_bytes > _MAX_METADATA_BYTES:
        raise ValueError(f"it has {metadata_bytes:,} bytes of metadata")
    file = pq.ParquetFile(
        io.BytesIO(content),
        pre_buffer=False,
        thrift_string_size_limit=_MAX_STRING,
        thrift_container_size_limit=_MAX_LIST,
        arrow_extensions_enabled=False,
    )
    _check_layout(file, content)
    return file


def _check_layout(file: "pq.ParquetFile", content: bytes) -> None:
    metadata = file.metadata
    rows, columns = metadata.num_rows, metadata.num_columns
    if rows > MAX_ROWS or columns > _MAX_COLUMNS or rows * columns > _MAX_CELLS:
        raise ValueError(f"it has {rows:,} rows of {columns:,} columns")
    schema = file.schema_arrow
    if len(schema.names) != columns or len(set(schema.names)) != columns:
        raise ValueError("it has nested columns, or two of one name")
    if unknown := [field for field in schema if not _is_allowed(field)]:
        raise ValueError(f"column {unknown[0].name} is of type {unknown[0].type}")
    if any(file.schema.column(number).max_repetition_level for number in range(columns)):
        raise ValueError("it has columns of lists")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if sum(group.num_rows for group in groups) != rows or any(g.num_rows < 0 for g in groups):
        raise ValueError("its row groups do not have the rows of the table")
    size = 0
    for group in groups:
        for number in range(columns):
            chunk = group.column(number)
            if chunk.num_values != group.num_rows or chunk.file_path:
                raise ValueError(f"column {chunk.path_in_schema} is not in this file")
            if chunk.compression not in _CODECS or chunk.physical_type not in _TYPES:
                raise ValueError(f"column {chunk.path_in_schema} is compressed or stored otherwise")
            size += sum(_pages(chunk, content))
            if size > _MAX_PAGE_BYTES:
                raise ValueError(f"it has more than {_MAX_PAGE_BYTES:,} bytes without compression")


def _pages(chunk: "pq.ColumnChunkMetaData", content: bytes) -> Iterator[int]:
    """The bytes of each page of a column without compression."""
    offsets = [chunk.data_page_offset]
    if chunk.has_dictionary_page:
        offsets.append(chunk.dictionary_page_offset)
    # An empty column may have no page of data, or no page.
    position = min((offset for offset in offsets if offset), default=0)
    if not position and chunk.num_values == chunk.total_compressed_size == 0:
        return
    end = position + chunk.total_compressed_size
    if not 0 < position <= end <= len(content):
        raise ValueError(f"column {chunk.path_in_schema} is not inside the file")
    left = chunk.num_values
    while position < end:
        reader = Reader(content, position)
        header = reader.struct()
        kind, size, compressed = header[_TYPE], header[_SIZE], header[_COMPRESSED_SIZE]
        details = header.get({_DATA_PAGE: _DATA_HEADER, _DICTIONARY_PAGE: _DICTIONARY_HEADER}[kind])
        if details is None or details[_ENCODING] not in _ENCODINGS:
            raise ValueError(f"a page of {chunk.path_in_schema} has another encoding")
        if not 0 <= details[_VALUES] <= chunk.num_values or min(size, compressed) < 0:
            raise ValueError(f"a page of {chunk.path_in_schema} has an impossible size")
        if kind == _DATA_PAGE:
            left -= details[_VALUES]
        position = reader.position + compressed
        yield size
    if position != end or left:
        raise ValueError(f"the pages of {chunk.path_in_schema} do not have its size")


def _is_text(field: "pa.Field") -> bool:
    from pyarrow import types

    return bool(types.is_string(field.type) or types.is_large_string(field.type))


def _is_allowed(field: "pa.Field") -> bool:
    from pyarrow import types

    kind = field.type
    return (
        _is_text(field)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_date32(kind)
        or types.is_null(kind)
    )


def _check_text(file: "pq.ParquetFile", content: bytes) -> int:
    """Read the columns of text as dictionaries, and check the size of their texts, in bytes."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    names = [field.name for field in file.schema_arrow if _is_text(field)]
    if not names:
        return 0
    texts = pq.ParquetFile(
        io.BytesIO(content), metadata=file.metadata, read_dictionary=names, pre_buffer=False
    )
    size = 0
    for name in names:
        for chunk in texts.read(columns=[name], use_threads=False).column(0).chunks:
            chunk.validate(full=True)
            lengths = pc.binary_length(chunk.dictionary)
            size += pc.sum(lengths.take(chunk.indices)).as_py() or 0
            if size > _MAX_TEXT_BYTES:
                raise ValueError(f"its texts have more than {_MAX_TEXT_BYTES:,} bytes")
    return int(size)
