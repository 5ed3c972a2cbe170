"""Requests to a run during training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from engine.runs.control import (
    CHECKPOINT,
    CONTINUE,
    EPOCHS,
    EVALUATE,
    LEARNING_RATE,
    PAUSE,
    STOP,
    Request,
)
from engine.runs.events import Controlled
from engine.training.lr_schedule import Pace

_HIGHEST_RATE = 100.0
_MOST_EPOCHS = 100_000


@dataclass
class Controls:
    """Pending requests; changes of the schedule are applied at once."""

    pace: Pace
    stop: bool = False
    checkpoint: bool = False
    evaluate: bool = False
    paused: bool = False
    changed: bool = False
    """Whether the schedule was changed since the last checkpoint."""

    def take(self, request: Request) -> Controlled | None:
        """Accept a request; returns the answer, unless it comes when the request is carried out."""
        match request.action:
            case "stop":
                self.stop = True
                return Controlled(request=STOP, message="Stopping; the model is kept as it is now.")
            case "checkpoint":
                self.checkpoint = True
                return None
            case "evaluate":
                self.evaluate = True
                return Controlled(request=EVALUATE, message="Evaluating.")
            case "pause":
                return self._pause()
            case "continue":
                return self._continue()
            case "learning_rate":
                return self._learning_rate(request.arguments.get("value"))
            case "epochs":
                return self._epochs(request.arguments.get("value"))
        return _refused(request.action[:40], f"Unknown request {request.action[:40]!r}.")

    def checkpoint_written(self) -> Controlled:
        """Return the answer to a request for a checkpoint, once it is written."""
        self.checkpoint = False
        return Controlled(request=CHECKPOINT, message="Checkpoint written.")

    def _pause(self) -> Controlled:
        if self.paused:
            return _refused(PAUSE, "The run is paused already.")
        self.paused = True
        return Controlled(request=PAUSE, message="Paused.")

    def _continue(self) -> Controlled:
        if not self.paused:
            return _refused(CONTINUE, "The run is not paused.")
        self.paused = False
        return Controlled(request=CONTINUE, message="Continuing.")

    def _learning_rate(self, value: Any) -> Controlled:
        if not _is_number(value) or not 0 < value <= _HIGHEST_RATE:
            limits = f"above 0 and at most {_HIGHEST_RATE:g}"
            return _refused(LEARNING_RATE, f"The learning rate must be a number {limits}.")
        position = self.pace.position
        self.changed = True
        position.lr_scale = value / self.pace.config.learning_rate
        now = self.pace.config.learning_rate * self.pace.factor(position.step)
        text = (
            f"The highest learning rate is {value:.4g} from here on; the schedule is at {now:.4g}."
        )
        return Controlled(request=LEARNING_RATE, message=text)

    def _epochs(self, value: Any) -> Controlled:
        position, limit = self.pace.position, self.pace.config.max_steps
        begun = position.epoch + (position.batch > 0)
        if not _is_number(value) or value != int(value) or not 1 <= value <= _MOST_EPOCHS:
            return _refused(EPOCHS, f"Epochs are a whole number from 1 to {_MOST_EPOCHS:,}.")
        if value < begun or (value == begun and position.batch == 0):
            text = f"Epoch {begun:,} is under way or done: stop the run to end it earlier."
            return _refused(EPOCHS, text)
        if limit is not None and limit <= self.pace.per_epoch * int(value):
            text = f"train.max_steps ends the run after {limit:,} updates, whatever the epochs."
            return _refused(EPOCHS, text)
        self.changed = True
        self.pace.change_epochs(int(value))
        text = f"{int(value):,} epochs in all, {self.pace.steps:,} updates."
        return Controlled(request=EPOCHS, message=text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refused(request: str, text: str) -> Controlled:
    return Controlled(request=request, message=text, accepted=False)
