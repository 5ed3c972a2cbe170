"""Everything that one process trains with, shared by the parts of the training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.config.train import TrainConfig
from engine.data.fitted import Fitted
from engine.hardware.device import Compute
from engine.runs.control import Request
from engine.runs.earlier_base import EarlierBase
from engine.runs.events import Log, Report
from engine.runs.progress_marks import ProgressMarks
from engine.tasks.task import Task
from engine.training.checkpoints.state import TrainingState
from engine.training.distributed.process_group import SingleProcess


@dataclass(frozen=True)
class Outlets:
    """The trainer's connections to its run: functions, so that it needs no directory."""

    report: Report
    requests: Callable[[], Iterator[Request]]
    save: Callable[[str], None]
    """Save a checkpoint of the state; the argument is the reason."""
    interrupted: Callable[[], bool]
    go_back: Callable[[], dict[str, Any]] = dict
    """Return the newest checkpoint's state to roll back to; empty without one."""
    keep_untrained: Callable[[dict[str, Any]], None] | None = None
    """Keep the results of the network before the first update; ``None`` if it is not evaluated."""
    known_untrained: Callable[[], EarlierBase | None] = lambda: None
    """Return those results where another run has them; called once, before they are measured."""
    take_part: Callable[[], None] = lambda: None
    """Write this process's part of a checkpoint that the main process saves."""

    def warn(self, text: str) -> None:
        """Report a warning."""
        self.report(Log(level="warning", message=text))


@dataclass(frozen=True)
class Setup:
    """The task with its state, on a device, connected to the run and to other processes."""

    task: Task[Any]
    fitted: Fitted
    state: TrainingState
    compute: Compute
    outlets: Outlets
    group: SingleProcess = field(default_factory=SingleProcess)
    marks: ProgressMarks = field(default_factory=ProgressMarks)
    """Marks of progress, for who watches this process."""
    begun: float = field(default_factory=time.perf_counter)
    """When this process began to work on the run, by ``time.perf_counter``."""

    @property
    def config(self) -> TrainConfig:
        """The hyperparameters of the training."""
        return self.task.config.train
