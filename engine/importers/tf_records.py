"""Records of TensorBoard's event files: a length, its checksum, the data and their checksum.

The format is TFRecord (https://www.tensorflow.org/tutorials/load_data/tfrecord), with CRC-32C in
its masked form.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from engine.importers.tally import Tally

LARGEST = 1 << 20
"""Bytes of a record that is read; larger ones hold images or graphs."""
_MOST_BYTES = 1 << 40
_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_POLYNOMIAL = 0x82F63B78
_CUT = "Files that end in the middle of a record, as they were cut off or are still written: {}."
_DAMAGED = "Damaged records (wrong checksum), left out: {}."
_LOST = "Files damaged in the middle, of which the rest was not read: {}."
_LARGE = "Records larger than 1 MB (images, graphs), left out: {}."


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """Return the masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def tf_records(file: BinaryIO, tally: Tally) -> Iterator[bytes]:
    """Yield the intact records of a file; others are counted.

    Raises ``OSError``.
    """
    while header := file.read(_HEADER.size):
        if len(header) < _HEADER.size:
            tally.add(_CUT)
            return
        length, checksum = _HEADER.unpack(header)
        if masked_crc(header[:8]) != checksum or length > _MOST_BYTES:
            tally.add(_LOST)  # without a length there is no way to the next record
            return
        if length > LARGEST:
            tally.add(_LARGE)
            file.seek(length + _CHECKSUM.size, 1)
            continue
        data = file.read(length)
        end = file.read(_CHECKSUM.size)
        if len(end) < _CHECKSUM.size:
            tally.add(_CUT)
            return
        if masked_crc(data) == _CHECKSUM.unpack(end)[0]:
            yield data
        else:
            tally.add(_DAMAGED)
