"""Parquet files and JSON documents that are much larger than they seem, or lie about their size."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.storage.thrift import Reader

_ONE_PAGE: dict[str, Any] = {
    "use_dictionary": False,
    "data_page_size": 10**8,
    "max_rows_per_page": 10**6,
    "write_batch_size": 10**6,
}


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    """A Parquet file of these columns."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd", **options)
    return buffer.getvalue()


def repeated_text() -> bytes:
    """400,000 rows that refer to one text of 50 kB: 20 GB."""
    indices = pa.array(np.zeros(400_000, np.int32))
    repeated = pa.DictionaryArray.from_arrays(indices, ["a" * 50_000])
    return parquet({"text": repeated}, store_schema=False)


def large_page() -> bytes:
    """One text of 40 MB, in some kilobytes."""
    return parquet({"text": ["a" * 40_000_000]})


def many_rows() -> bytes:
    return parquet({"number": np.zeros(6_000_000)})


def many_columns() -> bytes:
    return parquet({f"column{number}": [1] for number in range(1_500)})


def many_groups() -> bytes:
    return parquet({"number": np.zeros(40_000)}, row_group_size=10)


def varint(value: int) -> bytes:
    """`value` as Thrift writes it."""
    value = value << 1 ^ value >> 63
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def with_page_field(value: int, claimed: int) -> bytes:
    """A column whose page header claims another number, of as many bytes, than the true `value`."""
    content = parquet({"number": np.arange(200_000.0)}, **_ONE_PAGE)
    (position,) = [
        pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0).data_page_offset
    ]
    reader = Reader(content, position)
    reader.struct()
    header = content[position : reader.position]
    old, new = varint(value), varint(claimed)
    assert header.count(old) == 1
    assert len(old) == len(new)
    changed = header.replace(old, new)
    return content[:position] + changed + content[reader.position :]


def _page_size() -> int:
    content = parquet({"number": np.arange(200_000.0)}, **_ONE_PAGE)
    column = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0)
    size: int = Reader(content, column.data_page_offset).struct()[2]
    return size


def metadata_of_megabytes() -> bytes:
    table = pa.table({"a": [1]}).replace_schema_metadata({"pandas": "x" * 3_000_000})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


#: What makes each hostile table, and a part of the reason that it is refused for.
TABLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "repeated text": (repeated_text, "its texts have more than"),
    "large page": (large_page, "bytes without compression"),
    "many rows": (many_rows, "it has 6,000,000 rows"),
    "many columns": (many_columns, "columns"),
    "many row groups": (many_groups, "may be read"),
    "large claim": (lambda: with_page_field(_page_size(), 60_000_000), "without compression"),
    "more values": (lambda: with_page_field(200_000, 1_000_000), "impossible size"),
    "fewer values": (lambda: with_page_field(200_000, 20_000), "do not have its size"),
    "metadata": (metadata_of_megabytes, "bytes of metadata"),
    "lists": (lambda: parquet({"lists": [[1, 2], [3]]}), "may be read"),
    "structures": (lambda: parquet({"structures": [{"a": 1}]}), "may be read"),
    "another type": (lambda: parquet({"binary": [b"a"]}), "of type binary"),
    "dictionaries": (
        lambda: parquet({"text": pa.array(["a"] * 9).dictionary_encode()}),
        "of type dictionary",
    ),
    "not a table": (lambda: b"12345", "is not a Parquet file"),
    "nothing": (lambda: b"", "is not a Parquet file"),
}
#: The same for documents.
DOCUMENTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "many values": (lambda: b'{"models": [' + b"0," * 400_000 + b"0]}", "values"),
    "many bytes": (lambda: json.dumps({"models": ["a" * 40_000_000]}).encode(), "bytes, more than"),
    "nested lists": (lambda: b"[" * 900_000, "nested|values"),
    "nested objects": (lambda: b'{"a":' * 90_000 + b"0" + b"}" * 90_000, "nested|values"),
    "quotes": (lambda: b'"' + b'\\"' * 400_000, "cannot be read"),
    "lists": (lambda: b"[" + b"[]," * 90_000 + b"[]]", "cannot be read"),
    "a long number": (lambda: b'{"models": ' + b"9" * 900_000 + b"}", "cannot be read"),
}
