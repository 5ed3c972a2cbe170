"""A run's session in a process that trains: with its task, device and group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.hardware.device import Compute
from engine.runs.session import RunSession
from engine.tasks.task import Task
from engine.training.distributed.process_group import SingleProcess


@dataclass(frozen=True)
class TrainingSession:
    """A run, what it learns, and the process that trains it."""

    session: RunSession
    task: Task[Any]
    compute: Compute
    group: SingleProcess
