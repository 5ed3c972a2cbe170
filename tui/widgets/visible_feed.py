"""A feed of a part of a screen that may be hidden: it begins when the part is first seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from textual.widget import Widget

from tui.widgets.run_feed import RunFeed

T = TypeVar("T")


class VisibleFeed(Generic[T]):
    """Polls while its widget is displayed, more rarely over a slow connection."""

    def __init__(
        self,
        widget: Widget,
        read: Callable[[], Iterable[T | None]],
        show: Callable[[T], object],
        seconds: tuple[float, float],
    ) -> None:
        """Poll every ``seconds``: usually, and over a slow connection; see :class:`RunFeed`."""
        self._widget = widget
        self._read = read
        self._show = show
        self._seconds = seconds
        self._feed: RunFeed[T] | None = None

    def display(self, shown: bool) -> None:
        """Show or hide the widget."""
        self._widget.display = shown
        self.resume() if shown else self.pause()

    def resume(self) -> None:
        """Poll from now on, if the widget is displayed."""
        if not self._widget.display:
            return
        if self._feed is None:
            usual, slow = self._seconds
            seconds = slow if getattr(self._widget.app, "slow_link", False) else usual
            self._feed = RunFeed(self._widget, self._read, seconds, self._show)
        self._feed.poll()

    def pause(self) -> None:
        """Stop polling, as the widget is not visible."""
        if self._feed is not None:
            self._feed.pause()

    def wake(self) -> None:
        """Poll at once, if the widget is displayed."""
        if self._feed is not None:
            self._feed.wake()

    def end(self) -> None:
        """End the thread at once."""
        if self._feed is not None:
            self._feed.end()
