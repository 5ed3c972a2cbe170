"""Lines of text of which only the cells that changed are sent to the terminal again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.terminal.textual_private import request_paint

Part = tuple[str, object]
"""A text and its style."""


class Canvas(Widget):
    """A widget that is given its lines; over a slow connection a change costs what it changes."""

    DEFAULT_CSS = "Canvas { height: 1; width: 1fr; }"

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._lines: list[Content] = []
        self._strips: list[Strip] = []

    def show(self, lines: Sequence[Content]) -> int:
        """Show these lines from the top; what is longer or wider than the widget is cut.

        Returns the number of cells that are sent to the terminal again.
        """
        before = self._strips
        self._lines = list(lines)
        self._strips = [self._strip(line) for line in self._lines]
        blank, sent = Strip.blank(0), 0
        for y in range(max(len(before), len(self._strips))):
            old = before[y] if y < len(before) else blank
            new = self._strips[y] if y < len(self._strips) else blank
            if old != new:
                region = difference(y, old, new)
                sent += region.right  # Textual begins at the widget's left edge
                self.refresh(region)
        request_paint(self)  # at once: when it is idle, the screen may have painted already
        return sent

    def render_line(self, y: int) -> Strip:
        """The strip of a line; called by Textual."""
        width = self.size.width
        style = self.visual_style.rich_style
        if y >= len(self._strips):
            return Strip.blank(width, style)
        return self._strips[y].crop_extend(0, width, style)

    def notify_style_update(self) -> None:
        """A change of the theme: colours in the lines mean something else now."""
        super().notify_style_update()
        self._strips = [self._strip(line) for line in self._lines]

    def _strip(self, line: Content) -> Strip:
        parts = line.render(self.visual_style, "", self.app.stylesheet.parse_style)
        return Strip([Segment(text, style.rich_style) for text, style in parts])


def difference(y: int, old: Strip, new: Strip) -> Region:
    """The cells of line ``y`` from the first to the last that is not the same."""
    before, after = _parts(old), _parts(new)
    width, start = max(old.cell_length, new.cell_length), _alike(before, after)
    if old.cell_length == new.cell_length:
        width = max(start, width - _alike(_mirrored(before), _mirrored(after)))
    return Region(start, y, width - start, 1)


def _parts(strip: Strip) -> list[Part]:
    """The texts of one style each, as long as they may be."""
    return [
        ("".join(segment.text for segment in part), style)
        for style, part in groupby(filter(None, strip), lambda segment: segment.style)
    ]


def _mirrored(parts: Sequence[Part]) -> list[Part]:
    return [(text[::-1], style) for text, style in reversed(parts)]


def _alike(one: Sequence[Part], other: Sequence[Part]) -> int:
    """Return the number of equal cells at the start."""
    cells = 0
    for (text, style), (other_text, other_style) in zip(one, other, strict=False):
        if style != other_style:
            break
        if text != other_text:
            return cells + cell_len(text[: _same(text, other_text)])
        cells += cell_len(text)
    return cells


def _same(one: str, other: str) -> int:
    """Return the number of equal characters at the start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
