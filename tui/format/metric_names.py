"""The metrics of a run that can be drawn, in the order in which they are offered."""

from __future__ import annotations

from collections.abc import Sequence

from engine.config.metric import LOSS
from engine.runs.history import History


def metric_names(history: History, order: Sequence[str] = ()) -> list[str]:
    """Return the names of all curves: the loss, those in ``order``, then evaluated ones first.

    A run of another program may have no loss; one that has just begun is going to have it.
    """
    names = {name for name, _ in history.curves}
    evaluated = {name for name, split in history.curves if split != "train"}
    first = [name for name in dict.fromkeys((LOSS.name, *order)) if name in names]
    rest = names.difference(first)
    return [*first, *sorted(rest, key=lambda name: (name not in evaluated, name))] or [LOSS.name]
