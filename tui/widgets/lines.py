"""Scrollable text; only what changed is sent to the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.content import Content

from tui.charts.canvas import Canvas
from tui.widgets.scrolling import Scrolling


class Lines(Scrolling):
    """Scrolls a canvas as high as its text; can stay at the end, like a log."""

    DEFAULT_CSS = """
    Lines {
        width: 1fr;
        height: 1fr;
        layout: vertical;
        overflow: auto auto;
        scrollbar-gutter: stable;
    }
    """

    def __init__(self, *, id: str | None = None, follow: bool = False) -> None:
        super().__init__(id=id)
        self._follow = follow
        self._given: Sequence[Content] = ()
        self._wrap = True
        self._canvas = Canvas()

    def compose(self) -> ComposeResult:
        """Yield the canvas."""
        yield self._canvas

    def show_lines(self, lines: Sequence[Content], wrap: bool = True) -> None:
        """Show these lines; long ones are wrapped, or else scrolled horizontally."""
        self._given, self._wrap = lines, wrap
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap for the new width."""
        del event
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        if width <= 0:
            return
        lines = list(self._given)
        if self._wrap:
            lines = [part for line in lines for part in line.wrap(width)]
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self._canvas.styles.width = max([width, *(line.cell_length for line in lines)])
        self._canvas.styles.height = max(1, len(lines))
        self._canvas.show(lines)
        if self._follow and at_end:
            self.call_after_refresh(self.scroll_end, animate=False)
