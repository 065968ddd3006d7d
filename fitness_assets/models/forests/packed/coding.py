"""Arrays of numbers as bytes that compress well, and back.

Every function here is exact: the decoded array equals the encoded one, bit for bit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGN_BIT = np.uint32(1 << 31)
_ONE = np.uint32(1)


def deltas(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Differences between the ordinals of consecutive numbers, modulo 2**32.

    The first difference is that between the first ordinal and 0.
    """
    return np.diff(_ordinals(numbers), prepend=np.uint32(0))


def from_deltas(differences: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The inverse of `deltas`."""
    ordinals = np.cumsum(differences, dtype=np.uint32)
    bits = np.where(ordinals >> 31, ordinals & (_SIGN_BIT - _ONE), ~ordinals)
    return bits.view(np.float32)


def _ordinals(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Integers in the order of the numbers; adjacent float32 numbers differ by one."""
    bits = numbers.view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | _SIGN_BIT)


def zigzag(differences: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Map 0, -1, 1, -2, 2 … to 0, 1, 2, 3, 4 …, so that small differences become small numbers."""
    return (differences << _ONE) ^ -(differences >> np.uint32(31))


def from_zigzag(numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The inverse of `zigzag`."""
    return (numbers >> _ONE) ^ -(numbers & _ONE)


def byte_planes(numbers: NDArray[Any], width: int) -> bytes:
    """The lowest bytes of all numbers, then the next ones, up to `width` bytes per number."""
    little = numbers.astype(f"<u{width}")
    return little.view(np.uint8).reshape(-1, width).T.tobytes()


def from_byte_planes(planes: bytes, width: int) -> NDArray[np.uint32]:
    """The inverse of `byte_planes`."""
    rows = np.frombuffer(planes, np.uint8).reshape(width, -1)
    return np.ascontiguousarray(rows.T).view(f"<u{width}").ravel().astype(np.uint32)


def ages(rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each row number, how many distinct rows ago it first occurred; 0 if it is new.

    `rows` are numbered in the order in which they first occur.
    """
    number = rows.astype(np.int64)
    newest = np.maximum.accumulate(number)
    new = np.diff(newest, prepend=-1) > 0
    return np.where(new, 0, newest + 1 - number)
