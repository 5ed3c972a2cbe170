"""SIGTERM and SIGINT: a question that the training loop asks, an exception everywhere else."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class Terminated(BaseException):
    """The system wants the process to end; no ``except Exception`` may hold that up."""


class Termination:
    """Whether the process was asked to end."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._deferred = False

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals; threads other than the main one get none and continue as before.

        One that was held back by :func:`held_back` comes now.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in _NUMBERS}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)
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
        """Let no signal interrupt the block: it checks :meth:`asked` itself."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within a deferred block, let a signal interrupt, also one that came before."""
        self._deferred = False
        try:
            if self.asked():
                raise Terminated
            yield
        finally:
            self._deferred = True

    def _handle(self, *_: object) -> None:
        self._asked.set()
        if not self._deferred:
            raise Terminated


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals wait, and in processes that are started here, until they handle them.

    Else one that comes while Python starts would end such a process without a word.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
