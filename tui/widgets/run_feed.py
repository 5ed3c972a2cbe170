"""A thread that polls the files of runs, and hands over to a screen only what is new."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from textual.widget import Widget

from engine.errors import UserError
from tui.widgets.notify import complain

T = TypeVar("T")

_PAINT_SECONDS = 0.5
"""Longest time that reading waits for the last handed over part to be painted."""
_YIELD_SECONDS = 0.001


class RunFeed(Generic[T]):
    """Polls while its widget is visible; an error ends it and is shown.

    ``read`` yields each part as soon as it is read, in the thread; ``show`` receives it in the
    event loop, and reading continues afterwards. Where ``read`` yields ``None``, the thread yields
    to the screen: until it has painted the last part, or else for a moment.
    """

    def __init__(
        self,
        widget: Widget,
        read: Callable[[], Iterable[T | None]],
        seconds: float,
        show: Callable[[T], object] = lambda part: None,
        *,
        rest: float = 0.0,
    ) -> None:
        """Poll every ``seconds``, or after ``rest`` times the time that the last poll took."""
        self._widget = widget
        self._read = read
        self._seconds = seconds
        self._show = show
        self._rest = rest
        self._started = False
        self._visible = threading.Event()
        self._woken = threading.Event()
        self._painted = threading.Event()
        self._painted.set()
        self._ended = threading.Event()

    def poll(self) -> None:
        """Poll from now on, at once; the first call starts the thread."""
        self._visible.set()
        self._woken.set()
        if not self._started:
            self._started = True
            self._widget.run_worker(self._follow, thread=True, group="feed")

    def pause(self) -> None:
        """Stop polling, as the widget is hidden."""
        self._visible.clear()

    def wake(self) -> None:
        """Poll at once after a change, if the widget is visible."""
        self._woken.set()

    def end(self) -> None:
        """End the thread at once, even while it is paused."""
        self._ended.set()
        for event in (self._visible, self._woken, self._painted):
            event.set()

    def _follow(self) -> None:
        """Poll until :meth:`end`, in a thread."""
        try:
            while self._due():
                self._woken.clear()
                begin = time.monotonic()
                self._poll_once()
                took = time.monotonic() - begin
                if not self._ended.is_set():
                    self._woken.wait(max(self._seconds, self._rest * took))
        except (UserError, OSError) as error:
            self._call(complain, self._widget, error)

    def _due(self) -> bool:
        """Wait until the widget is visible; returns whether the feed has not ended by then."""
        self._visible.wait()
        return not self._ended.is_set()

    def _poll_once(self) -> None:
        for part in self._read():
            if part is None:
                self._yield_to_screen()
            elif not self._ended.is_set():
                self._painted.clear()
                self._call(self._take, part)
            if self._ended.is_set():
                return

    def _yield_to_screen(self) -> None:
        if self._painted.is_set():
            self._ended.wait(_YIELD_SECONDS)
        else:
            self._painted.wait(_PAINT_SECONDS)
            self._painted.set()

    def _call(self, action: Callable[..., object], *arguments: object) -> None:
        self._widget.app.call_from_thread(action, *arguments)

    def _take(self, part: T) -> None:
        """Show the part, unless the widget is being removed."""
        if self._widget.display and not self._ended.is_set():
            self._show(part)
        self._widget.call_after_refresh(self._painted.set)
