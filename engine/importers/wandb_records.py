"""Records of an offline run of W&B: the log format of LevelDB, with checksums by zlib.

https://github.com/google/leveldb/blob/main/doc/log_format.md. A record lies in one block of 32 KiB
or is cut into parts over several of them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from engine.importers.tally import Tally

MAGIC = b":W&B"
LARGEST = 16 << 20
"""Bytes of a record, beyond which its parts are not put together."""
_BLOCK = 32 * 1024
_HEADER = struct.Struct("<IHB")
_IDENTITY = 7
"""Bytes before the first record of a file."""
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_CUT = "Files that end in the middle of a record, as they were cut off or are still written: {}."
_DAMAGED = "Damaged blocks of 32 KB, of which the rest was left out: {}."
_TORN = "Incomplete records of several parts, left out: {}."


def wandb_records(file: BinaryIO, tally: Tally) -> Iterator[bytes]:
    """Yield the intact records of a file; others are counted.

    Raises ``ValueError`` for a file of another kind, and ``OSError``.
    """
    identity = file.read(_IDENTITY)
    if not identity.startswith(MAGIC):
        raise ValueError("it does not begin as a file of W&B")
    whole, open_record = bytearray(), False
    for kind, data in _parts(file, tally):
        if kind in (_WHOLE, _FIRST):
            if open_record:
                tally.add(_TORN)
            whole, open_record = bytearray(data), True
        elif not open_record:
            continue  # its beginning was damaged, and counted as a block
        elif len(whole) + len(data) > LARGEST:
            open_record = False
            tally.add(_TORN)
        else:
            whole += data
        if open_record and kind in (_WHOLE, _LAST):
            open_record = False
            yield bytes(whole)
    if open_record:
        tally.add(_CUT)


def _parts(file: BinaryIO, tally: Tally) -> Iterator[tuple[int, bytes]]:
    """Yield kind and data of each intact part, block by block."""
    at = _IDENTITY
    while block := file.read(_BLOCK - at):
        full = len(block) == _BLOCK - at
        place = 0
        while place + _HEADER.size <= len(block):
            checksum, length, kind = _HEADER.unpack_from(block, place)
            if not kind and not length and not any(block[place:]):
                break  # the block is filled up with zeros
            data = block[place + _HEADER.size : place + _HEADER.size + length]
            if len(data) < length and not full:
                tally.add(_CUT)
                return
            if len(data) < length or zlib.crc32(bytes([kind]) + data) != checksum:
                tally.add(_DAMAGED)
                break
            yield kind, data
            place += _HEADER.size + length
        else:
            if not full and place < len(block):
                tally.add(_CUT)
        at = 0
