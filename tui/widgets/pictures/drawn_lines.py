"""The lines of a scroll view as they were drawn last."""

from __future__ import annotations

from collections.abc import Callable

from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.charts.canvas import difference


class DrawnLines:
    """Finds the cells that differ, so that only these are sent to the terminal."""

    def __init__(self, view: ScrollView, line: Callable[[int], Strip]) -> None:
        """Draw the lines of ``view``; ``line`` makes the one at a height on the screen."""
        self._view = view
        self._line = line
        self._drawn: dict[int, Strip] = {}
        self._made: dict[int, Strip] = {}
        self._made_for = (0, 0)

    def draw(self, y: int) -> Strip:
        """Return a line to be drawn, which was made already if it was found to differ."""
        made = self._made.pop(y, None) if self._made_for == self._seen() else None
        strip = self._drawn[y] = made or self._line(y)
        return strip

    def refresh(self) -> None:
        """Redraw the lines that differ; those made for the comparison are kept."""
        self._made_for, self._made = self._seen(), {}
        width, height = self._view.size
        for y in range(height):
            old, new = self._drawn.get(y), self._line(y)
            if old != new:
                whole = Region(0, y, width, 1)
                self._view.refresh(whole if old is None else difference(y, old, new))
                self._made[y] = new

    def drop_made(self) -> None:
        """Drop what was made but not drawn, as after a change of the columns."""
        self._made.clear()

    def forget(self) -> None:
        """Drop all lines, as after a change of the colours."""
        self._drawn.clear()
        self._made.clear()

    def _seen(self) -> tuple[int, int]:
        """Return the visible part: the first row and the width."""
        return self._view.scroll_offset.y, self._view.scrollable_content_region.width
