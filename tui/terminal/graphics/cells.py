"""The cells of a picture as text: each names the picture, and the row and the column that it shows.

A cell is the character that Kitty has set aside for pictures, with four variation selectors. These
take no room and no widget interprets them, so a line can be cut between any two cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

BASE = "\U0010eeee"
MOST_DIGITS = 240
"""Values of a digit: the greatest number of rows and of columns of a picture."""
MOST_NUMBERS = MOST_DIGITS**2
_FIRST = 0xE0100
_SELECTORS = f"[{chr(_FIRST)}-{chr(_FIRST + MOST_DIGITS - 1)}]"
CELLS = re.compile(f"(?:{BASE}{_SELECTORS}{{4}})+|{BASE}")
"""Cells beside each other; or the bare character, which is part of no picture."""
_LENGTH = 5


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring cells of a row of a picture."""

    number: int
    row: int
    columns: range


def line(number: int, row: int, columns: int) -> str:
    """Return the text of a whole row of a picture."""
    high, low = divmod(number, MOST_DIGITS)
    before = BASE + _digit(high) + _digit(low) + _digit(row)
    return "".join(before + _digit(column) for column in range(columns))


def runs(text: str) -> Iterator[Run]:
    """Yield what cells beside each other show."""
    current: Run | None = None
    for place in range(0, len(text), _LENGTH):
        high, low, row, column = (ord(sign) - _FIRST for sign in text[place + 1 : place + _LENGTH])
        number = high * MOST_DIGITS + low
        if current and (current.number, current.row, current.columns.stop) == (number, row, column):
            current = Run(number, row, range(current.columns.start, column + 1))
            continue
        if current:
            yield current
        current = Run(number, row, range(column, column + 1))
    if current:
        yield current


def _digit(value: int) -> str:
    return chr(_FIRST + value)
