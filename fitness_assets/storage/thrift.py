"""Read structures of Thrift's compact protocol, of which the pages of a Parquet file have a header.

The protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from enum import IntEnum
from typing import Any

# The longest variable-length integer has ten bytes of seven bits.
_MAX_SHIFT = 63
_MAX_DEPTH = 8
# The lower half of a header, which is also the length of a list that is written elsewhere.
_LOW = 0x0F


class _Type(IntEnum):
    STOP = 0
    TRUE = 1
    FALSE = 2
    BYTE = 3
    I16 = 4
    I32 = 5
    I64 = 6
    DOUBLE = 7
    BINARY = 8
    LIST = 9
    SET = 10
    STRUCT = 12


class Reader:
    """Reads a structure at a position of `content`, which may come from an untrusted source.

    Parameters
    ----------
    content : bytes
    position : int
        Where the structure begins; afterwards, where it ends.
    """

    def __init__(self, content: bytes, position: int) -> None:
        self._content = content
        self.position = position

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The integers, booleans and structures of a structure, by field number.

        Raises
        ------
        ValueError
            If it is not a structure of the protocol.
        IndexError
            If it ends after `content`.
        """
        if depth > _MAX_DEPTH:
            raise ValueError("a structure is nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while (header := self._byte()) & _LOW != _Type.STOP:
            number = number + (header >> 4) if header >> 4 else self._integer()
            fields[number] = self._value(header & _LOW, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        value: Any = None
        match kind:
            case _Type.TRUE | _Type.FALSE:
                value = kind == _Type.TRUE
            case _Type.BYTE:
                value = self._byte()
            case _Type.I16 | _Type.I32 | _Type.I64:
                value = self._integer()
            case _Type.DOUBLE:
                self._skip(8)
            case _Type.BINARY:
                self._skip(self._unsigned())
            case _Type.LIST | _Type.SET:
                self._list(depth)
            case _Type.STRUCT:
                value = self.struct(depth + 1)
            case _:
                raise ValueError(f"a field has the unknown type {kind}")
        return value

    def _list(self, depth: int) -> None:
        header = self._byte()
        length = header >> 4
        if length == _LOW:
            length = self._unsigned()
        # An item has at least one byte.
        if length > len(self._content) - self.position:
            raise ValueError("a list ends after the file")
        for _ in range(length):
            # A boolean in a list takes a byte.
            kind = header & _LOW
            self._value(_Type.BYTE if kind in (_Type.TRUE, _Type.FALSE) else kind, depth)

    def _byte(self) -> int:
        byte = self._content[self.position]
        self.position += 1
        return byte

    def _skip(self, count: int) -> None:
        if count > len(self._content) - self.position:
            raise ValueError("a field ends after the file")
        self.position += count

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > _MAX_SHIFT:
                raise ValueError("an integer has too many bytes")
        return value | byte << shift

    def _integer(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)
