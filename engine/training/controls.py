"""Requests to a run during training: read, answered, and kept until they are carried out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
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
from engine.runs.events import PAUSED, Controlled
from engine.training.checkpoints.state import Ending, TrainingState
from engine.training.lr_schedule import Schedule
from engine.training.progress import ProgressReports
from engine.training.trainer_setup import Outlets

_HIGHEST_RATE = 100.0
_MOST_EPOCHS = 100_000
_PAUSE_SECONDS = 0.2
_PAUSED_REPORT_SECONDS = 30.0


class Controls:
    """Pending requests of the user; changes of the schedule are applied at once."""

    def __init__(self, outlets: Outlets, state: TrainingState, schedule: Schedule) -> None:
        self._outlets = outlets
        self._state = state
        self._schedule = schedule
        self.stop = False
        self.checkpoint = False
        self.evaluate = False
        self.paused = False
        self.changed = False
        """Whether the schedule was changed since the last checkpoint."""

    def poll(self) -> None:
        """Read requests; unknown ones are answered too."""
        for request in self._outlets.requests():
            answer = self._take(request)
            if answer is not None:
                self._outlets.report(answer)
        if self.stop:
            self._state.ending = Ending.STOPPED

    def asked_to_end(self) -> bool:
        """Return whether the user or the system wants the run to end."""
        return self.stop or self._outlets.interrupted()

    def wait(self, progress: ProgressReports, carry_out: Callable[[], None]) -> None:
        """Wait until a paused run is to continue or to end; carry out other requests meanwhile."""
        with progress.paused():
            reported = time.perf_counter()
            while self.paused and self._state.ending is None:
                time.sleep(_PAUSE_SECONDS)
                self.poll()
                carry_out()
                if time.perf_counter() - reported > _PAUSED_REPORT_SECONDS:
                    reported = time.perf_counter()
                    progress.report_phase(PAUSED)

    def _take(self, request: Request) -> Controlled | None:
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

    def checkpoint_written(self) -> None:
        """Answer the request for a checkpoint, once it is written."""
        self.checkpoint = False
        self._outlets.report(Controlled(request=CHECKPOINT, message="Checkpoint written."))

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
        schedule = self._schedule
        self.changed = True
        schedule.position.lr_scale = value / schedule.config.peak_rate
        now = schedule.config.peak_rate * schedule.factor(schedule.position.step)
        text = f"Peak learning rate {value:.4g} from now on; the schedule is at {now:.4g}."
        return Controlled(request=LEARNING_RATE, message=text)

    def _epochs(self, value: Any) -> Controlled:
        position, limit = self._schedule.position, self._schedule.config.max_steps
        begun = position.epoch + (position.batch > 0)
        if not _is_number(value) or value != int(value) or not 1 <= value <= _MOST_EPOCHS:
            return _refused(EPOCHS, f"Epochs are a whole number from 1 to {_MOST_EPOCHS:,}.")
        if value < begun or (value == begun and position.batch == 0):
            text = f"Epoch {begun:,} is under way or done: stop the run to end it earlier."
            return _refused(EPOCHS, text)
        if limit is not None and limit <= self._schedule.per_epoch * int(value):
            text = f"train.max_steps ends the run after {limit:,} updates, whatever the epochs."
            return _refused(EPOCHS, text)
        self.changed = True
        self._schedule.change_epochs(int(value))
        text = f"{int(value):,} epochs in all, {self._schedule.steps:,} updates."
        return Controlled(request=EPOCHS, message=text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refused(request: str, text: str) -> Controlled:
    return Controlled(request=request, message=text, accepted=False)
