"""Whether a task explains its predictions."""

from __future__ import annotations

from typing import Any

from engine.data.fitted import Fitted
from engine.tasks.abilities import ExplainsColumns
from engine.tasks.task import Task


def explains(task: Task[Any], fitted: Fitted) -> bool:
    """Return whether :meth:`Task.explain` has an answer: some tasks keep the one without."""
    if isinstance(task, ExplainsColumns):
        return bool(task.explained_columns(fitted))
    return type(task).explain is not Task.explain
