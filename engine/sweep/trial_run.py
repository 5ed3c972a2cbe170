"""The run of one trial: it is started, followed, pruned, and its result reported to the study."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from engine.config.metric import Metric
from engine.errors import RunError
from engine.launch.start import start
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory, is_deleted
from engine.runs.events import TIME_LIMIT, Evaluated, Finished
from engine.runs.follower import Follower
from engine.runs.history import History
from engine.runs.status import State
from engine.sweep.study import WHOLE

_RESTARTS = 3
"""Times that a run which was lost or interrupted is taken up again."""


@dataclass
class TrialRun:
    """A trial whose run has not ended."""

    number: int
    run: RunDirectory
    trial: optuna.Trial | None
    """None for one that another process began: it is not pruned."""
    gpu: str = ""
    """The GPU that it is assigned; empty for one that sees all devices."""
    seconds: float | None = None
    """Time limit that the sweep gave it."""
    history: History = field(default_factory=History)
    pruned: bool = False
    restarts: int = 0

    def __post_init__(self) -> None:
        self._follower = Follower(self.run.events.path)
        self._begun = time.monotonic()
        self._reported = -1

    @property
    def taken(self) -> float:
        """Seconds since it was started or taken up."""
        return time.monotonic() - self._begun

    def start(self) -> None:
        """Start or resume the run; raises :class:`RunError`."""
        start(self.run, {"CUDA_VISIBLE_DEVICES": self.gpu} if self.gpu else {})

    def start_if_new(self) -> None:
        """Start the run if the process that made it was killed before it did."""
        try:
            with self.run.lock.hold():
                begun = self.run.status.worker() is not None
        except RunError:
            return  # its worker holds the lock
        if not begun:
            self.start()

    def stop(self) -> None:
        """Ask the run to stop."""
        with contextlib.suppress(FileNotFoundError):  # it was deleted
            self.run.requests.send(Request(control.STOP))

    def over(self, study: optuna.Study, metric: Metric) -> bool:
        """Read the run's events; returns whether it is over and reported to ``study``.

        One that was lost or interrupted is resumed, and one that the user has deleted failed.
        """
        state = self.run.status.state()  # before reading, so that no final event is missed
        for event in self._follower.new():
            self.history.apply(event)
            if isinstance(event, Evaluated) and event.split == "validation":
                self._report(event, metric)
        if is_deleted(self.run):
            study.tell(self.number, state=TrialState.FAIL)
            return True
        if not state.ended:
            return False
        if state in (State.LOST, State.INTERRUPTED) and self.restarts < _RESTARTS:
            self.restarts += 1
            self.start()
            return False
        self._conclude(study, state, metric)
        return True

    def _report(self, event: Evaluated, metric: Metric) -> None:
        """Report to the pruner; stop the run if it decides so."""
        value = event.metrics.get(metric.name)
        # Progress is not reported at every update, and in a very short run at the end alone.
        plan = self.history.trained or self.history.model
        if self.trial is None or self.pruned or value is None or plan is None or not event.step:
            return
        # By the share that is done: one with larger batches makes fewer updates.
        share = round(WHOLE * event.step / max(1, plan.steps))
        if share == self._reported:
            return  # of several evaluations within a hundredth, the first counts
        self._reported = share
        self.trial.report(value, share)
        # At the end there is nothing to save, and a pruned trial cannot be the best.
        if share < WHOLE and self.trial.should_prune():
            self.pruned = True
            self.stop()

    def _conclude(self, study: optuna.Study, state: State, metric: Metric) -> None:
        best, ending = self.history.best, self.history.ending
        value = best.metrics.get(metric.name) if best is not None else None
        if self.trial is not None and isinstance(ending, Finished):
            self.trial.set_user_attr("cut", ending.reason == TIME_LIMIT)
        if self.pruned:
            study.tell(self.number, state=TrialState.PRUNED)
        elif state in (State.FINISHED, State.STOPPED) and value is not None:
            study.tell(self.number, value)
        else:
            study.tell(self.number, state=TrialState.FAIL)
