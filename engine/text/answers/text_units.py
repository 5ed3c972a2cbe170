"""Units in which programs count the places in a text: characters, bytes and others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_LONG_END, _SHORT_END = re.compile(r"\r\n"), re.compile(r"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of positions."""

    name: str
    characters: Callable[[str, int], int]
    """The number of characters in the first units of a text, by their number."""


def _of_bytes(text: str, count: int) -> int:
    return len(text.encode("utf-8", "surrogatepass")[:count].decode("utf-8", "ignore"))


def _of_utf_16(text: str, count: int) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")[: 2 * count].decode("utf-16-le", "ignore"))


def _of_short_line_ends(text: str, count: int) -> int:
    for end in _LONG_END.finditer(text):
        if end.start() >= count:
            break
        count += 1
    return min(count, len(text))


def _of_long_line_ends(text: str, count: int) -> int:
    for end in _SHORT_END.finditer(text):
        if end.start() + 1 >= count:
            break
        count -= 1
    return min(count, len(text))


CHARACTERS = Unit("characters", lambda text, count: count)
UNITS = (
    CHARACTERS,
    Unit("bytes", _of_bytes),
    Unit("units of UTF-16", _of_utf_16),
    Unit("line ends of two characters as one", _of_short_line_ends),
    Unit("line ends as two characters", _of_long_line_ends),
)
