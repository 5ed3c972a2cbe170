"""Signals that end the program: the terminal is restored first."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from functools import partial

_LEAVE_SECONDS = 5
"""Time to exit after a signal."""


class EndingSignals:
    """SIGINT and SIGTERM from elsewhere; ctrl+c in the terminal is a key like any other.

    On SIGINT asyncio would cancel the task that it finds, which does not always end the program; on
    SIGTERM the system would end it and leave the terminal as it is.
    """

    def __init__(self, leave: Callable[[], object]) -> None:
        """Call ``leave`` on the event loop after a signal."""
        self._leave = leave
        self.received: int | None = None
        """The number of the signal that has ended the program."""

    def catch(self) -> None:
        """Handle the signals from now on; call it on the event loop."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, partial(self._end, asyncio.get_running_loop()))

    def _end(self, loop: asyncio.AbstractEventLoop, number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        signal.alarm(_LEAVE_SECONDS)  # the system ends what hangs
        self.received = number
        loop.call_soon_threadsafe(self._leave)
