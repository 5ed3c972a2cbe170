"""Requests to a run, pending until the run confirms or refuses them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from engine.config.train import TrainConfig
from engine.errors import UserError
from engine.runs.control import Request
from engine.runs.events import Controlled

SHOWN_SECONDS = 15.0
"""Time for which an answer stays visible."""


@dataclass(slots=True)
class Asked:
    """A request and, as soon as there is one, its answer."""

    request: Request
    text: str
    """Name of the request in messages, such as ``checkpoint``."""
    moment: float
    answer: Controlled | None = None
    answered: float = 0.0


@dataclass
class Asking:
    """All requests of a screen, in order; times are of any one clock."""

    asked: list[Asked] = field(default_factory=list)
    _read: int = 0
    """Number of answers already read."""

    def ask(self, request: Request, text: str, now: float) -> None:
        """Record a request."""
        self.asked.append(Asked(request, text, now))

    def read(self, answers: Sequence[Controlled], now: float) -> list[tuple[Request, Controlled]]:
        """Match the run's answers so far with the requests; returns the new matches.

        A run answers requests of a kind in the order in which they came.
        """
        matched = []
        for answer in answers[self._read :]:
            for asked in self.asked:
                if asked.answer is None and asked.request.action == answer.request:
                    asked.answer, asked.answered = answer, now
                    matched.append((asked.request, answer))
                    break
        self._read = len(answers)
        return matched

    def current(self, now: float) -> list[Asked]:
        """Return pending requests and, for a while, the ones answered last; drop the rest."""
        last = max((asked.answered for asked in self.asked if asked.answer), default=0.0)
        shown = now - last < SHOWN_SECONDS
        self.asked = [
            asked
            for asked in self.asked
            if asked.answer is None or (shown and asked.answered == last)
        ]
        return self.asked

    def give_up(self) -> list[str]:
        """Return the unanswered requests of a run that has ended.

        All are dropped: the message about the end takes the place of answers.
        """
        unanswered = [asked.text for asked in self.asked if asked.answer is None]
        self.asked.clear()
        return unanswered


def learning_rate(text: str) -> float:
    """Parse a learning rate. Raises :class:`UserError`."""
    return float(_checked("learning_rate", text, "a number above 0 and at most 100, as in 3e-4"))


def epochs(text: str, done: float) -> int:
    """Parse a number of epochs, not less than were started. Raises :class:`UserError`."""
    begun = math.ceil(done)
    value = int(_checked("epochs", text, "a whole number from 1 to 100,000, as in 20"))
    if value < begun:
        raise UserError(f"The run is in epoch {begun}: it cannot have fewer.")
    return value


def _checked(field: str, text: str, wanted: str) -> float:
    """Validate the value by the rules of the configuration's field."""
    try:
        value: float = getattr(TrainConfig.model_validate({field: text}), field)
    except ValidationError as error:
        raise UserError(f"Type {wanted}.") from error
    return value
