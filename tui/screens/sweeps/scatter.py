"""A scatter plot of a sweep's trials: a parameter on the x axis, the metric on the y axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.files.sanitize import plain
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
    labels: Mapping[float, str]
    """Choices by their x coordinates; empty for numbers."""
    log: bool
    """Whether x coordinates are decimal logarithms."""


def scatter(table: SweepTable, dimension: Dimension) -> Scatter:
    """Return the trials by their values of ``dimension``."""
    curves = []
    for state, look in _LOOKS.items():
        rows = [row for row in table.trials if row.state == state]
        points = [point for row in rows if (point := _point(row, dimension)) is not None]
        if points:
            curves.append(Curve(state, look, sorted(points), joined=False))
    best = table.best
    point = _point(best, dimension) if best else None
    axis = dimension.field.rpartition(".")[2]
    if isinstance(dimension, Range):
        return Scatter(curves, point, f"{axis}, log" if dimension.log else axis, {}, dimension.log)
    labels = {float(place): plain(value, 20) for place, value in enumerate(dimension.values)}
    return Scatter(curves, point, axis, labels, False)


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
