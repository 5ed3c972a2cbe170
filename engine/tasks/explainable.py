"""Whether a task explains its predictions."""

from __future__ import annotations

from typing import Any

from engine.data.fitted import Fitted
from engine.tasks.task import Task


def explains(task: Task[Any], fitted: Fitted) -> bool:
    """Return whether :meth:`Task.explain` has an answer: some tasks keep the one without.

    Tasks of texts name the columns that they explain; they need transformers, which this does not.
    """
    columns = getattr(task, "explained_columns", None)
    if columns is not None:
        return bool(columns(fitted))
    return type(task).explain is not Task.explain
