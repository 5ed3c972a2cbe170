"""Create the task that a configuration names."""

from __future__ import annotations

from typing import Any

from engine.config.registry import implementation
from engine.config.run_config import RunConfig
from engine.tasks.earlier_methods import in_current_terms
from engine.tasks.task import Task


def create_task(config: RunConfig) -> Task[Any]:
    """The task of ``config.task``, not yet fitted."""
    task: Task[Any] = in_current_terms(implementation(config.task, "create")(config))
    return task
