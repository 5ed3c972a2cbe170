"""Requests whose answers a thread waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

from engine.errors import RunError
from engine.remote.messages import (
    Annotate,
    ChangeQueue,
    Control,
    Discard,
    Done,
    FileList,
    Launch,
    Part,
    Resume,
)
from tui.hosts.link import Link

Call = Control | Annotate | Resume | Discard | Launch | ChangeQueue
SECONDS = 30.0


class Calls:
    """Requests with numbers, and the answers to them."""

    def __init__(self, link: Link, numbers: count[int]) -> None:
        self._link = link
        self._numbers = numbers
        self._answers: dict[int, Done | None] = {}

    def call(self, make: Callable[[int], Call], seconds: float = SECONDS) -> Done:
        """Send a request made for a number, and wait for its answer; for threads that may wait.

        Raises :class:`RunError` where the host is gone, does not answer in time, or refuses.
        """
        link, number = self._link, next(self._numbers)
        link.wanted.set()
        end = time.monotonic() + seconds
        with link.changed:
            while link.standing.phase == "connecting" and time.monotonic() < end:
                link.wait()
            if link.standing.phase != "connected":
                raise RunError(link.sentence())
            self._answers[number] = None
            link.outbox.append(make(number))
            try:
                answer = self._wait(number, end)
            finally:
                del self._answers[number]
        if answer is None:
            raise RunError(f"{link.name} has not answered within {seconds:.0f} seconds.")
        if answer.problem:
            raise RunError(f"{link.name}: {answer.problem}")
        return answer

    def answered(self, message: Done | FileList | Part) -> None:
        """Hand an answer to the thread that waits for it, if one does."""
        with self._link.changed:
            if message.number in self._answers and isinstance(message, Done):
                self._answers[message.number] = message
                self._link.changed.notify_all()

    def _wait(self, number: int, end: float) -> Done | None:
        while (answer := self._answers[number]) is None and time.monotonic() < end:
            if self._link.standing.phase != "connected":
                raise RunError(
                    f"The connection to {self._link.name} ended before it answered.",
                    "Look whether the request was carried out before you repeat it.",
                )
            self._link.wait()
        return answer
