"""Pictures as lines of a screen: by the terminal's graphics where it has them, else half blocks."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from engine.reports.picture import Picture
from tui.charts.half_blocks import half_blocks, picture_lines, rows_of, scaled
from tui.terminal.graphics.cells import MOST_DIGITS, line
from tui.terminal.graphics.store import PictureStore

_KEPT = 512


@dataclass(frozen=True)
class Drawing:
    """The drawing of pictures; with no ``store``, as half blocks."""

    store: PictureStore | None = None
    pixels_per_cell: int = 0
    """Most pixels in the width of a cell, over a slow connection; 0 for all there are."""

    def strips(self, picture: Picture, width: int, blank: Style | None = None) -> Sequence[Strip]:
        """Return the lines of a picture that is ``width`` cells wide; ``blank`` is behind it."""
        rows = self._rows(picture, width)
        if rows is None:
            return half_blocks(picture, width)
        return [Strip([Segment(text, blank)], width) for text in rows]

    def lines(self, picture: Picture, width: int) -> list[Content]:
        """Return the same lines for a text."""
        rows = self._rows(picture, width)
        return picture_lines(picture, width) if rows is None else [Content(text) for text in rows]

    def _rows(self, picture: Picture, width: int) -> list[str] | None:
        """Return the cells of each line, which the terminal's graphics are to paint."""
        height = rows_of(picture, width)
        if self.store is None or max(width, height) > MOST_DIGITS:
            return None
        if self.pixels_per_cell:
            picture = _shrunk(picture, self.pixels_per_cell * width)
        number = self.store.place(picture, width, height).number
        return [line(number, row, width) for row in range(height)]


@lru_cache(_KEPT)
def _shrunk(picture: Picture, width: int) -> Picture:
    """Return a picture that is at most ``width`` pixels wide."""
    if picture.width <= width:
        return picture
    height = max(1, round(width * picture.height / picture.width))
    pixels = b"".join(bytes(pixel) for row in scaled(picture, width, height) for pixel in row)
    return replace(picture, width=width, height=height, rgb=base64.b64encode(pixels).decode())
