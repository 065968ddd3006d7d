"""JSON documents as typed structures, checked when they are read.

Equal structures give equal bytes, so that documents can be hashed and compared.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from fitness_assets.errors import StorageError

T = TypeVar("T")


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


def decode(content: bytes, kind: type[T], name: str) -> T:
    """The document in `content` as a `kind`.

    Parameters
    ----------
    content : bytes
    kind : type
        A `msgspec.Struct`, or any other type that msgspec supports.
    name : str
        Name of the document in error messages.

    Raises
    ------
    StorageError
        If `content` is not JSON, or a field is missing or of another type.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StorageError(f"{name} cannot be read: {error}") from error


def convert(document: Mapping[str, object], kind: type[T], name: str) -> T:
    """Convert plain values, such as a manifest's ``info``, to a `kind`.

    Parameters and errors are those of `decode`.
    """
    try:
        return msgspec.convert(document, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise StorageError(f"{name} cannot be read: {error}") from error
