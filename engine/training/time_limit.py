"""The time limit of a run: the number of updates that fit, planned anew from the pace so far."""

from __future__ import annotations

import math
import time

from engine.batches.source import Source
from engine.training.lr_schedule import Schedule
from engine.training.trainer_setup import Setup
from engine.training.validation import Validation

_SHARE_BETWEEN_PLANS = 0.01
"""Part of the limit that passes before the updates are planned anew."""
_SHARE_OF_EXPORT = 0.01
"""Part of the limit that is kept for the export."""
_FORWARD_SHARE = 0.4
"""Time of a batch in an evaluation as a part of an update's, until one was measured."""
_SHARE_TO_MEASURE = 0.1
"""An evaluation is measured first, if it and the final ones may take this part of the limit."""


class TimeLimit:
    """Ends a run in ``train.max_minutes``, with its learning rate at the end of the schedule.

    The time of preparation, evaluations and export counts; that of pauses does not. The updates
    that fit are planned from the seconds that updates and evaluations took so far.
    """

    def __init__(
        self,
        setup: Setup,
        schedule: Schedule,
        validation: Validation,
        held_out: tuple[Source | None, Source | None],
    ) -> None:
        """``held_out`` are the splits for validation and test, as far as there are any."""
        self._limit = 60.0 * (setup.config.max_minutes or math.inf)
        self._begun = setup.begun
        self._schedule = schedule
        self._position = setup.state.position
        self._validation = validation
        each, last = held_out
        size = setup.config.batch_rows
        self._batches = 0.0 if each is None else len(each) / size
        self._final_batches = self._batches if last is None else len(last) / size
        self._every = setup.config.eval_steps
        self._preparation: float | None = None
        self._seconds = 0.0
        self._asked = False
        self._first = True
        self.restart()

    def restart(self) -> None:
        """Begin at the position, at the start and after a roll-back, whose lost time counts."""
        if self._preparation is not None:
            self._preparation += self._seconds - self._position.seconds
            self._first = False
        self._from_step = self._position.step
        self._from_seconds = self._position.seconds
        self._evaluated_before = self._validation.total_seconds
        self._planned = -math.inf
        self._slow_seconds = 0.0
        """Seconds of the first update of a process, which prepares what later ones find ready."""

    def evaluation_wanted(self) -> bool:
        """Return whether to evaluate now, since the plan depends on the time that it takes."""
        return self._asked and not self._validation.seconds

    def reached(self) -> bool:
        """Return whether the run has made all updates that fit, and not all that were wanted."""
        return self._position.last_step is not None and self._position.step >= self._schedule.steps

    def plan(self) -> None:
        """Limit the updates to those that fit, if it is time to plan again."""
        if self._limit == math.inf or self._position.step == self._from_step:
            return
        self._seconds = self._position.seconds
        here = self._seconds - self._from_seconds
        if self._preparation is None:
            self._preparation = time.perf_counter() - self._begun - here
        used = self._seconds + self._preparation
        if used - self._planned < _SHARE_BETWEEN_PLANS * self._limit:
            return
        if self._measures_first(here):
            return
        updates = self._updates_within(used, here)
        if self._first and self._position.step == self._from_step + 1 and updates > 1:
            self._first = False
            self._slow_seconds = self._update_seconds(here)
            return
        self._planned = used
        self._schedule.limit_steps(self._position.step + updates)

    def _measures_first(self, here: float) -> bool:
        """Ask for an evaluation, once, if a wrong guess of its time would change the plan."""
        if self._asked or self._validation.seconds:
            return False
        self._asked = sum(self._evaluations(here)) > _SHARE_TO_MEASURE * self._limit
        return self._asked

    def _updates_within(self, used: float, here: float) -> int:
        """Return how many more updates fit after ``used`` seconds, of which training was ``here``.

        The last validation and the final evaluations have their time too.
        """
        update = self._update_seconds(here)
        evaluation, final = self._evaluations(here)
        left = self._limit * (1 - _SHARE_OF_EXPORT) - used - evaluation - final
        every = self._every or self._schedule.per_epoch
        updates = left / update
        if updates > every:
            updates = left / (update + evaluation / every)
        return max(0, math.floor(updates))

    def _update_seconds(self, here: float) -> float:
        evaluated = self._validation.total_seconds - self._evaluated_before
        updates = self._position.step - self._from_step
        if self._slow_seconds and updates > 1:
            here, updates = here - self._slow_seconds, updates - 1
        return max(1e-9, here - evaluated) / updates

    def _evaluations(self, here: float) -> tuple[float, float]:
        """Return the seconds of a validation, and of the final evaluation on the test split."""
        guess = self._batches * self._update_seconds(here) * _FORWARD_SHARE
        evaluation = self._validation.seconds or guess
        return evaluation, evaluation / max(1.0, self._batches) * self._final_batches
