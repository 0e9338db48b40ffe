"""The frames of TensorBoard's event files, which are those of TFRecord files.

A frame is the length of its content (8 bytes), a check of the length (4), the content, and a check
of the content (4), all little-endian (tensorflow.org/tutorials/load_data/tfrecord).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HEAD = struct.Struct("<QI")
_CHECK = struct.Struct("<I")


class DamagedFrameError(ValueError):
    """What follows in a file is no whole frame."""


def frames(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of each frame.

    Raises:
        DamagedFrameError: the next one is cut short, or a check fails.
    """
    while head := file.read(_HEAD.size):
        length = _length(head)
        content = file.read(length)
        check = file.read(_CHECK.size)
        if len(content) != length or len(check) != _CHECK.size:
            raise DamagedFrameError("it is cut short")
        if _CHECK.unpack(check)[0] != masked_crc(content):
            raise DamagedFrameError("its check fails")
        yield content


def is_event_file(path: Path) -> bool:
    """Tell by its first bytes whether a file may be one of TensorBoard's."""
    with path.open("rb") as file:
        try:
            _length(file.read(_HEAD.size))
        except DamagedFrameError:
            return False
    return True


def _length(head: bytes) -> int:
    if len(head) != _HEAD.size:
        raise DamagedFrameError("it is cut short")
    length, check = _HEAD.unpack(head)
    if check != masked_crc(head[:8]):
        raise DamagedFrameError("the check of its length fails")
    return int(length)


def _crc_table() -> list[int]:
    table = []
    for remainder in range(256):
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)  # noqa: PLW2901
        table.append(remainder)
    return table


_TABLE = _crc_table()


def masked_crc(content: bytes) -> int:
    """Return the check of a content: its CRC-32C (RFC 3720, appendix B.4), rotated and shifted.

    >>> hex(masked_crc(b"123456789"))  # of the CRC 0xe3069283
    '0xc78ab0e5'
    """
    table = _TABLE
    crc = 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
