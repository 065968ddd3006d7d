"""Writes FIT files, from names of messages and raw values of fields as in Garmin's FIT profile."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from fitdecode import profile

#: A message: its name, and its values by field. A list is a field with several values.
Fields = Mapping[str, int | Sequence[int]]

_MESSAGES: dict[str, Any] = {each.name: each for each in profile.MESSAGE_TYPES.values()}
# Polynomial of the checksum by half byte, from the FIT protocol.
_CRC = (
    *(0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401),
    *(0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400),
)


def fit_file(messages: Sequence[tuple[str, Fields]]) -> bytes:
    """A file with these messages, each after its definition if it is another than the last one."""
    records, last = b"", b""
    for name, fields in messages:
        definition, values = _record(name, fields)
        records += values if definition == last else definition + values
        last = definition
    header = struct.pack("<BBHI4s", 14, 0x20, 2132, len(records), b".FIT")
    content = header + struct.pack("<H", checksum(header)) + records
    return content + struct.pack("<H", checksum(content))


def checksum(content: bytes) -> int:
    crc = 0
    for byte in content:
        for half in (byte & 0xF, byte >> 4):
            crc = (crc >> 4) ^ _CRC[crc & 0xF] ^ _CRC[half]
    return crc


def _record(name: str, fields: Fields) -> tuple[bytes, bytes]:
    message = _MESSAGES[name]
    known = {each.name: each for each in message.fields.values()}
    definition = struct.pack("<BBBHB", 0x40, 0, 0, message.mesg_num, len(fields))
    values = b"\0"
    for field, value in fields.items():
        base = known[field].base_type
        numbers = [value] if isinstance(value, int) else list(value)
        definition += bytes([known[field].def_num, base.size * len(numbers), base.identifier])
        values += struct.pack(f"<{len(numbers)}{base.fmt}", *numbers)
    return definition, values
