"""Progress reports of a training, and the check that its losses are finite."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.runs.events import PAUSED, Progress, finite
from engine.training.loss_meter import Meter
from engine.training.lr_schedule import Schedule
from engine.training.optimization.non_finite import Diverged, not_finite
from engine.training.trainer_setup import Setup

REPORT_SECONDS = 0.25
"""Minimum interval of progress events and of checks for requests, in seconds."""
_LONGER_INTERVALS = ((86_400.0, 5.0), (3_600.0, 1.0))
"""Seconds between progress events, by the seconds trained: a month has less than a million."""


class Throttle:
    """A limit on something to once in :data:`REPORT_SECONDS`."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin an interval."""
        self._since = time.perf_counter()

    def due(self) -> bool:
        """Return whether the interval is over; the next one begins then."""
        if not self.over():
            return False
        self.restart()
        return True

    def over(self) -> bool:
        """Return whether the interval is over."""
        return time.perf_counter() - self._since >= REPORT_SECONDS


class ProgressReports:
    """Reports of losses, gradient norms and speed, at most a few a second."""

    def __init__(self, setup: Setup, schedule: Schedule) -> None:
        self._setup = setup
        self._schedule = schedule
        self._position = setup.state.position
        self._reported_step = -1
        self.restart()

    def restart(self) -> None:
        """Begin at the position, at the start and after a roll-back."""
        self.meter = Meter(self._position, self._setup.state.scaler is not None)
        self._reported = time.perf_counter()
        self._begin = self._reported - self._position.seconds
        self._stopped: float | None = None
        """When the clock was stopped by a pause that lasts."""

    def tick(self) -> None:
        """Update the position's seconds."""
        now = time.perf_counter() if self._stopped is None else self._stopped
        self._position.seconds = now - self._begin

    def check(self) -> None:
        """Fetch the losses since the last check; report non-finite ones.

        Raises :class:`~engine.training.optimization.non_finite.Diverged` when there are too many.
        """
        position, most = self._position, self._setup.config.max_bad_steps
        bad, in_a_row = self.meter.fetch()
        if bad and in_a_row <= most:
            self._setup.outlets.warn(
                f"{bad:,} update{'s' * (bad > 1)} up to {position.step:,} left out: the loss or "
                "its gradient is not a finite number."
            )
        if in_a_row > most:
            raise Diverged
        skipped = position.bad_updates if bad else self.meter.overflows
        if skipped and skipped == self._schedule.steps:
            raise not_finite(position.step)  # not one of all updates was made

    def report(self) -> None:
        """Report the updates since the last report, if any."""
        self.check()
        self._reported = time.perf_counter()
        if self._reported_step != self._position.step:
            self._reported_step = self._position.step
            reading = self.meter.read()
            self._write("train", reading.loss, reading.grad_norm, reading.rate)

    def report_phase(self, phase: str, share: float = 0.0) -> None:
        """Report that the training is in ``phase``, in which no update is made.

        ``share`` of it is done.
        """
        self._reported = time.perf_counter()
        self._write(phase, share=share)

    def due(self) -> bool:
        """Return whether the last report was long enough ago; a long run reports more rarely."""
        seconds = self._position.seconds
        interval = next((i for after, i in _LONGER_INTERVALS if seconds > after), REPORT_SECONDS)
        return time.perf_counter() - self._reported >= interval

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Report the pause; the time within the block is not spent on training.

        Nor is that of an evaluation which is asked for meanwhile.
        """
        begin = time.perf_counter()
        self.report()
        self.report_phase(PAUSED)
        self._stopped = begin
        with self._setup.marks.unlimited():
            yield
        self._stopped = None
        self._reported = time.perf_counter()
        self._begin += self._reported - begin
        self.meter.restart_clock()

    def _write(
        self,
        phase: str,
        loss: float | None = None,
        norm: float | None = None,
        rate: float = 0.0,
        share: float = 0.0,
    ) -> None:
        setup, schedule, position = self._setup, self._schedule, self._position
        setup.outlets.report(
            Progress(
                step=position.step,
                steps=schedule.steps,
                epoch=schedule.epochs_done,
                epochs=schedule.epochs,
                loss=None if loss is None else finite(loss),
                learning_rate=float(setup.state.optimizer.param_groups[0]["lr"]),
                grad_norm=None if norm is None else finite(norm),
                samples_per_second=rate,
                seconds=position.seconds,
                phase=phase,
                share=share,
                memory=setup.compute.peak_memory(),
            )
        )
