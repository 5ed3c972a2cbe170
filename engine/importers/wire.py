"""The wire format of protocol buffers: https://protobuf.dev/programming-guides/encoding.

TensorBoard and W&B store a few fields of messages that rarely change. Reading them here takes
neither of the two programs, which need not be installed where runs are compared.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

Value = int | bytes

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_BITS = 70


class WireError(ValueError):
    """Bytes are not a message."""


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Yield numbers and values of a message's fields in order: integers, or bytes as they are.

    A fixed-size number comes as its bytes. Raises :class:`WireError`.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"unknown wire type {kind}")
        if at + length > end:
            raise WireError("a field is longer than its message")
        yield key >> 3, message[at : at + length]
        at += length


def packed(content: bytes) -> Iterator[int]:
    """Yield the integers of a packed field. Raises :class:`WireError`."""
    at = 0
    while at < len(content):
        value, at = _varint(content, at)
        yield value


def nested(value: Value) -> bytes:
    """Return the bytes of a nested message or a string. Raises :class:`WireError`."""
    if not isinstance(value, bytes):
        raise WireError("a number stands in the place of a message")
    return value


def text(value: Value) -> str:
    """Return a string; bytes that are not UTF-8 are replaced. Raises :class:`WireError`."""
    return nested(value).decode(errors="replace")


def signed(value: Value) -> int:
    """Return an ``int64``. Raises :class:`WireError`."""
    if not isinstance(value, int):
        raise WireError("a message stands in the place of a number")
    return value - (1 << 64) if value >= 1 << 63 else value


def double(value: Value) -> float:
    """Return a ``double`` or a ``float``, by its size. Raises :class:`WireError`."""
    raw = nested(value)
    if len(raw) not in (4, 8):
        raise WireError("a number has the wrong size")
    number: float = struct.unpack("<d" if len(raw) == 8 else "<f", raw)[0]
    return number


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the integer that begins at ``at``, and the place after it."""
    value = 0
    for shift in range(0, _MOST_BITS, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise WireError("an integer does not end")
