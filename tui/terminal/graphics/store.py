"""The pictures that are shown as cells, by the numbers that the cells name."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from engine.reports.picture import Picture
from tui.terminal.graphics.cells import MOST_NUMBERS

_KEPT = 1024
"""Pictures that are kept; the one that was not placed for the longest time is dropped first."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture at a size in cells."""

    number: int
    picture: Picture
    columns: int
    rows: int


class PictureStore:
    """Numbers pictures; widgets place them, the stream to the terminal finds them. Thread-safe."""

    def __init__(self, sent_once: bool = True, kept: int = _KEPT) -> None:
        """``sent_once`` tells whether the terminal keeps a picture, however often it is painted."""
        self.sent_once = sent_once
        self._kept = kept
        self._lock = threading.Lock()
        self._placed: OrderedDict[tuple[Picture, int, int], Placed] = OrderedDict()
        self._by_number: dict[int, Placed] = {}
        self._dropped: list[int] = []
        self._next = 0

    def place(self, picture: Picture, columns: int, rows: int) -> Placed:
        """Return a picture at a size, under the same number each time."""
        key = picture, columns, rows
        with self._lock:
            if key in self._placed:
                self._placed.move_to_end(key)
                return self._placed[key]
            if len(self._placed) >= self._kept:
                _, oldest = self._placed.popitem(last=False)
                del self._by_number[oldest.number]
                self._dropped.append(oldest.number)
            placed = Placed(self._free_number(), picture, columns, rows)
            self._placed[key] = self._by_number[placed.number] = placed
            return placed

    def _free_number(self) -> int:
        """Return a number that no picture has; one that was dropped comes late again."""
        while self._next in self._by_number:
            self._next = (self._next + 1) % MOST_NUMBERS
        number, self._next = self._next, (self._next + 1) % MOST_NUMBERS
        return number

    def find(self, number: int) -> Placed | None:
        """Return the picture of a number, unless it was dropped."""
        with self._lock:
            return self._by_number.get(number)

    def take_dropped(self) -> list[int]:
        """Return the numbers of pictures dropped since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
            return dropped
