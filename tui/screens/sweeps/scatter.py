"""A scatter plot of a sweep's trials: a parameter on the x axis, the metric on the y axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.sweep.space import Dimension, Range
from engine.sweep.table import SweepTable, TrialRow
from tui.charts.chart import Curve
from tui.charts.plot import Pair

_LOOKS = {"complete": "validation", "pruned": "other", "running": "third"}
"""Style by state; failed trials are not drawn."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """The plot of one parameter."""

    curves: Sequence[Curve]
    best: Pair | None
    axis: str
    """Label of the x axis."""


def scatter(table: SweepTable, dimension: Dimension) -> Scatter:
    """Return the trials by their values of ``dimension``."""
    curves = []
    for state, look in _LOOKS.items():
        rows = [row for row in table.trials if row.state == state]
        points = [point for row in rows if (point := _point(row, dimension)) is not None]
        if points:
            curves.append(Curve(state, look, sorted(points), joined=False))
    best = table.best
    return Scatter(curves, _point(best, dimension) if best else None, _axis(dimension))


def _point(row: TrialRow, dimension: Dimension) -> Pair | None:
    text = row.values.get(dimension.field)
    if row.value is None or text is None:
        return None
    if not isinstance(dimension, Range):
        values = dimension.values
        return (float(values.index(text)), row.value) if text in values else None
    try:
        value = math.log10(float(text)) if dimension.log else float(text)
    except ValueError:
        return None  # a damaged table
    return value, row.value


def _axis(dimension: Dimension) -> str:
    if isinstance(dimension, Range):
        return f"{'log10 ' * dimension.log}{dimension.field.rpartition('.')[2]}"
    return ", ".join(f"{place} {value}" for place, value in enumerate(dimension.values))
