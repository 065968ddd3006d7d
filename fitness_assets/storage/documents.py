"""JSON documents as typed structures, checked when they are read.

Equal structures give equal bytes, so that a document can be hashed.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from fitness_assets.errors import StorageError

T = TypeVar("T")


def encode(document: Any) -> bytes:
    """`document`, a structure or plain values, as indented JSON with sorted keys.

    Raises
    ------
    ValueError
        If a number is infinite or not a number.
    """
    plain = msgspec.to_builtins(document)
    text = json.dumps(plain, indent=2, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()


def decode(content: bytes, kind: type[T], name: str) -> T:
    """The document in `content` as a `kind`.

    Parameters
    ----------
    content : bytes
    kind : type
        A `msgspec.Struct`, or any type that msgspec knows.
    name : str
        What error messages call the document.

    Raises
    ------
    StorageError
        If `content` is not JSON, or a field is missing or of another type.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StorageError(f"{name} cannot be read: {error}") from error


def convert(document: Mapping[str, Any], kind: type[T], name: str) -> T:
    """Plain values, as a manifest's ``info``, as a `kind`; raises as `decode` does."""
    try:
        return msgspec.convert(document, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StorageError(f"{name} cannot be read: {error}") from error
