"""SIGTERM and SIGINT: a question that the training loop asks, an exception everywhere else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(BaseException):
    """The system wants the process to end; no ``except Exception`` may hold that up."""


class Termination:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._deferred = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Take the signals over; other threads than the main one get none and go on as before."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def asked(self) -> bool:
        """Whether a signal came."""
        return self._asked.is_set()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within the block a signal interrupts nothing: the block looks at :meth:`asked` itself."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _handle(self, *_: object) -> None:
        self._asked.set()
        if not self._deferred:
            raise Terminated
