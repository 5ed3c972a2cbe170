"""The x coordinates of a chart's points: steps between them, and the part that is seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tui.charts.chart import Curve
from tui.charts.plot import Pair


@dataclass(frozen=True)
class Places:
    """Finite x coordinates, from left to right."""

    xs: Sequence[float]

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> Places:
        """Return the places of all points of the curves."""
        return cls(sorted({x for curve in curves for x, _ in curve.points if math.isfinite(x)}))

    @property
    def whole(self) -> Pair | None:
        """The first and the last place; ``None`` unless they differ."""
        xs = self.xs
        return (xs[0], xs[-1]) if xs and xs[-1] > xs[0] else None

    def within(self, span: Pair | None) -> Places:
        """Return the places in a part of the axis."""
        return self if span is None else Places([x for x in self.xs if inside(x, span)])

    def nearest(self, x: float) -> float:
        """Return the place that is nearest to ``x``."""
        return min(self.xs, key=lambda place: abs(place - x))

    def step(self, x: float, points: int, columns: int) -> float:
        """Return the ``points``-th next place from ``x``, counting one for each of ``columns``."""
        column = (self.xs[-1] - self.xs[0]) / max(1, columns)
        for _ in range(abs(points)):
            x = self._right(x, column) if points > 0 else self._left(x, column)
        return x

    def _right(self, x: float, column: float) -> float:
        return next((place for place in self.xs if place > x and place >= x + column), self.xs[-1])

    def _left(self, x: float, column: float) -> float:
        before = (place for place in reversed(self.xs) if place < x and place <= x - column)
        return next(before, self.xs[0])

    def span(self, low: float, width: float) -> Pair | None:
        """Return the part of that ``width`` from ``low``, moved to what there is; ``None``: all."""
        whole = self.whole
        if whole is None or width >= whole[1] - whole[0]:
            return None
        low = max(whole[0], min(low, whole[1] - width))
        return (low, low + width)


def inside(x: float, span: Pair) -> bool:
    """Return whether ``x`` is in a part of the axis."""
    return span[0] <= x <= span[1]
