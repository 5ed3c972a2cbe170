"""The private names of Textual that this package uses.

``tests/unit/test_private_names.py`` checks that they exist and behave as expected.
"""

from __future__ import annotations

from typing import Any, TypeVar

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.geometry import Size
from textual.notifications import Notification
from textual.screen import Screen
from textual.widget import Widget
from typing_extensions import override

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


class ReportingApp(App[T]):
    """An application that reports exceptions which nothing handled."""

    def report(self, error: Exception) -> None:
        """Keep a report of a defect before Textual ends the application."""

    @override
    def _handle_exception(self, error: Exception) -> None:
        self.report(error)
        super()._handle_exception(error)
