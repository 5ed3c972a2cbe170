"""A request to the advisor, sent after a moment without changes (debounced)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

from engine.config.overrides import Tree
from engine.errors import UserError
from engine.service.client import Superseded

Answer = dict[str, Any]

QUIET = 0.3
"""Seconds without a change before a request is sent."""


class Ask(Protocol):
    """A function like :meth:`engine.service.client.Advisor.ask`.

    It waits for the answer and raises ``UserError``.
    """

    def __call__(self, question: str, **arguments: Any) -> Answer:
        """Return the answer."""


@dataclass
class Answered(Message):
    """The advisor's answer, or its error."""

    number: int
    answer: Answer | UserError


class Question:
    """One kind of request for one widget, which receives :class:`Answered`."""

    def __init__(self, widget: Widget, ask: Ask, question: str, **arguments: object) -> None:
        """``arguments`` go with every request, besides its values."""
        self._arguments = arguments
        self._widget = widget
        self._ask = ask
        self._question = question
        self._number = 0
        self._timer: Timer | None = None

    def put(self, values: Tree) -> None:
        """Send ``values`` soon, instead of the previous request."""
        self.drop()
        start = partial(self._start, self._number, self._question, {"values": values})
        self._timer = self._widget.set_timer(QUIET, start)

    def send(self, question: str = "", **arguments: object) -> None:
        """Send a request at once, instead of the previous one; ``question`` may be another."""
        self.drop()
        self._start(self._number, question or self._question, arguments)

    def drop(self) -> None:
        """Discard the answer to the previous request."""
        self._number += 1
        if self._timer is not None:
            self._timer.stop()

    def newest(self, event: Answered) -> bool:
        """Return whether the answer belongs to the newest request."""
        return event.number == self._number

    def _start(self, number: int, question: str, arguments: Mapping[str, object]) -> None:
        work: Callable[[], None] = partial(self._work, number, question, arguments)
        self._widget.run_worker(work, thread=True, group=self._question, exit_on_error=False)

    def _work(self, number: int, question: str, arguments: Mapping[str, object]) -> None:
        """Wait for the answer, in a thread."""
        try:
            answer: Answer | UserError = self._ask(question, **arguments, **self._arguments)
        except Superseded:
            return
        except UserError as error:
            answer = error
        self._widget.post_message(Answered(number, answer))
