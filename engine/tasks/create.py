"""Create the task that a configuration names."""

from __future__ import annotations

from typing import Any

from engine.config import RunConfig
from engine.sections import resolve
from engine.tasks.task import Task


def create_task(config: RunConfig) -> Task[Any]:
    """The task of ``config.task``, not yet fitted."""
    task: Task[Any] = resolve(config.task.implementation)(config)
    return task
