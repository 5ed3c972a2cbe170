"""The question to the terminal what it is, asked before Textual reads what is typed.

Every terminal answers the second part, its attributes (DA1), so that no answer is still to come
once it has; an answer that came later would be taken for keys.
"""

from __future__ import annotations

import os
import re
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_QUESTION = b"\x1b[>q\x1b[c"
_SECONDS = 5.0
"""Time-out, which only a terminal that is not what its environment says reaches."""
_NAME = re.compile(rb"\x1bP>\|([^\x1b\x07]*)(?:\x1b\\|\x07)")
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")


@dataclass(frozen=True, slots=True)
class Answer:
    """A terminal's answer; empty where it gave none."""

    name: str = ""
    """Name and version, such as ``kitty(0.41.1)``."""
    attributes: frozenset[str] = frozenset()
    """Numbers of its abilities; 4 stands for Sixel graphics."""
    typed: bytes = b""
    """Keys that were read with the answer."""


def ask(source: int, target: int) -> Answer:
    """Ask the terminal at two descriptors, ``source`` to read and ``target`` to write."""
    with _unechoed(source):
        os.write(target, _QUESTION)
        return parsed(_read(source))


def parsed(read: bytes) -> Answer:
    """Return the answer in what was read, and the rest as keys."""
    name, attributes = _NAME.search(read), _ATTRIBUTES.search(read)
    typed = _ATTRIBUTES.sub(b"", _NAME.sub(b"", read))
    return Answer(
        name[1].decode("ascii", "replace") if name else "",
        frozenset(attributes[1].decode().split(";")) if attributes else frozenset(),
        typed,
    )


def _read(source: int) -> bytes:
    """Read until the last answer has come, or until the time-out."""
    read = b""
    end = time.monotonic() + _SECONDS
    while not _ATTRIBUTES.search(read):
        left = end - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            break
        block = os.read(source, 4096)
        if not block:
            break
        read += block
    return read


@contextmanager
def _unechoed(source: int) -> Iterator[None]:
    """Read each byte at once and echo none; what was typed before is kept."""
    before = termios.tcgetattr(source)
    changed = termios.tcgetattr(source)
    changed[3] &= ~(termios.ECHO | termios.ICANON)
    changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
    termios.tcsetattr(source, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(source, termios.TCSANOW, before)
