"""The private names of Textual that this package uses.

``tests/unit/test_private_names.py`` checks that they exist and behave as expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from rich.console import Console, RenderableType
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.geometry import Size
from textual.notifications import Notification
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

from tui.terminal.sent_text import SentText

T = TypeVar("T")


def request_paint(widget: Widget) -> None:
    """Hand the changed regions of a widget to its screen now, not when the widget is idle."""
    widget._check_refresh()


def paint(screen: Screen[object]) -> None:
    """Paint what widgets have handed over now, not at the next tick of Textual's clock."""
    screen._on_timer_update()


def update_scroll_bars(widget: Widget, content: Size) -> None:
    """Fit the scroll bars of a widget to its content without laying out the screen."""
    widget._scroll_update(content)


def write_sequence(app: App[object], sequence: str) -> None:
    """Write an escape sequence to the terminal, if the application has one."""
    driver = app._driver
    if driver is not None:
        driver.write(sequence)
        driver.flush()


def type_ahead(app: App[Any], typed: str) -> None:
    """Handle what was typed before the application read it."""
    for event in XTermParser().feed(typed):
        app.post_message(event)


def forget(app: App[Any], notification: Notification) -> None:
    """Take a message from the screen before its time."""
    app._unnotify(notification)


class _Sparing(CompositorUpdate):
    """An update of the terminal that sends no part which was sent before and is still shown."""

    def __init__(self, update: LayoutUpdate | ChopsUpdate, sent: SentText) -> None:
        self._update = update
        self._sent = sent

    @override
    def render_segments(self, console: Console) -> str:
        self._sent.begin()
        sequences: list[str] = []
        for line, first, strip in _parts(self._update):
            text, end = strip.render(console), first + strip.cell_length
            if self._sent.is_new(line, first, end, text):
                sequences.append(f"\x1b[{line + 1};{first + 1}H{text}")
        return "".join(sequences)


def _parts(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Yield line, first column and content of the parts of an update."""
    if isinstance(update, LayoutUpdate):
        for line, strips in enumerate(update.strips, update.region.y):
            first = update.region.x
            for strip in strips:
                yield line, first, strip
                first += strip.cell_length
        return
    for line, start, stop in update.spans:
        ends, parts = update.chop_ends[line], update.chops[line].items()
        for end, (first, part) in zip(ends, parts, strict=False):
            if part is not None and first <= stop and end > start:
                inside = start <= first < stop and end <= stop
                yield line, first, part if inside else part.crop(0, min(end, stop) - first)


class TerminalApp(App[T]):
    """An application that sends the terminal what changed, and reports what nothing handled."""

    def __init__(self) -> None:
        super().__init__()
        self.sent_text = SentText()

    def on_resize(self) -> None:
        """Send everything again: the terminal may have moved its lines."""
        self.sent_text.clear()

    @override
    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        update: Any = renderable
        if isinstance(renderable, LayoutUpdate | ChopsUpdate):
            update = _Sparing(renderable, self.sent_text)
        super()._display(screen, update)

    def report(self, error: Exception) -> None:
        """Keep a report of a defect before Textual ends the application."""

    @override
    def _handle_exception(self, error: Exception) -> None:
        self.report(error)
        super()._handle_exception(error)
