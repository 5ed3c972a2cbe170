"""Signals that end the program: the terminal is restored first."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from threading import Thread

_LEAVE_SECONDS = 5
"""Time to exit after a signal."""
_ENDING = (signal.SIGINT, signal.SIGTERM)


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
        for number in _ENDING:
            signal.signal(number, partial(self._end, asyncio.get_running_loop()))
        end, written = os.pipe()
        os.set_blocking(written, False)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        Thread(target=_end_what_hangs, args=(end,), daemon=True).start()

    def _end(self, loop: asyncio.AbstractEventLoop, number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.received = number
        loop.call_soon_threadsafe(self._leave)


def _end_what_hangs(signals: int) -> None:
    """Let the system end the process some seconds after the first ending signal.

    Python calls a handler between two instructions of the main thread, which may be in a call
    that does not return; the numbers of signals in the pipe ``signals`` are there at once.
    """
    while numbers := os.read(signals, 64):
        if any(number in _ENDING for number in numbers):
            signal.alarm(_LEAVE_SECONDS)
            return
