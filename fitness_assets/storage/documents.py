"""JSON documents as typed structures, checked when they are read.

Equal structures give equal bytes, so that documents can be hashed and compared.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from fitness_assets.errors import StorageError

T = TypeVar("T")

#: Limit on the bytes of a document. The largest that we publish, the metrics of a release, has 30
#: kB, 2,000 values and 10 levels.
MAX_BYTES = 1_000_000
_MAX_VALUES = 100_000
_MAX_DEPTH = 32
# A string. It always matches at a quote, so that the time is linear in the bytes.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def check_json(
    content: bytes,
    max_bytes: int = MAX_BYTES,
    max_values: int = _MAX_VALUES,
    max_depth: int = _MAX_DEPTH,
) -> None:
    """Check the size of a JSON document before it is decoded.

    Decoded values take up to 30 times the bytes of the document.

    Raises
    ------
    ValueError
        If `content` has too many bytes, values or levels.
    """
    if len(content) > max_bytes:
        raise ValueError(f"it has {len(content):,} bytes, more than {max_bytes:,}")
    marks = _STRING.sub(b"", content).translate(_ONE_KIND)
    if marks.count(b",") + marks.count(b"[") >= max_values:
        raise ValueError(f"it has more than {max_values:,} values")
    # Each step removes the innermost level of lists and objects.
    brackets = marks.translate(None, _NOT_BRACKETS)
    for _ in range(max_depth):
        brackets = brackets.replace(b"[]", b"")
    if b"[" in brackets:
        raise ValueError(f"it is nested more than {max_depth} levels deep, or is incomplete")


def plain(document: Any) -> Any:
    """`document`, a structure or plain values, as dicts, sequences, strings, numbers and None.

    Numbers of numpy become those of Python.

    Raises
    ------
    TypeError
        If it contains any other object.
    """
    return msgspec.to_builtins(document, enc_hook=_plain_number)


def encode(document: Any) -> bytes:
    """`document`, a structure or plain values, as indented JSON with sorted keys.

    Raises
    ------
    TypeError
        As `plain`.
    ValueError
        If a number is infinite or not a number.
    """
    text = json.dumps(plain(document), indent=2, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()


def _plain_number(value: Any) -> bool | int | float:
    number = value.item() if hasattr(value, "item") else None
    if isinstance(number, bool | int | float):
        return number
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def decode(content: bytes, kind: type[T], name: str, max_bytes: int = MAX_BYTES) -> T:
    """The document in `content` as a `kind`.

    Parameters
    ----------
    content : bytes
    kind : type
        A `msgspec.Struct`, or any other type that msgspec supports.
    name : str
        Name of the document in error messages.
    max_bytes : int
        Limit on the size of `content`.

    Raises
    ------
    StorageError
        If `content` exceeds the limits of `check_json`, is not JSON, or a field is missing or of
        another type.
    """
    try:
        check_json(content, max_bytes)
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StorageError(f"{name} cannot be read: {error}") from error


def convert(document: Mapping[str, object], kind: type[T], name: str) -> T:
    """Convert plain values, such as a manifest's ``info``, to a `kind`.

    Parameters and errors are those of `decode`.
    """
    try:
        return msgspec.convert(document, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StorageError(f"{name} cannot be read: {error}") from error
