"""A band between two curves, such as the quantiles around a forecast, filled with a light shade."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Pair = tuple[float, float]

SHADE = "░"


@dataclass(frozen=True, slots=True)
class Band:
    """The lower and the upper end of a band by rising x; the same x in both."""

    name: str
    low: Sequence[Pair]
    high: Sequence[Pair]

    def at(self, x: float) -> tuple[float, float] | None:
        """Return both ends at the point that is nearest to ``x``; ``None`` beside the band."""
        if not self.low or not self.low[0][0] <= x <= self.low[-1][0]:
            return None
        pairs = zip(self.low, self.high, strict=True)
        low, high = min(pairs, key=lambda ends: abs(ends[0][0] - x))
        return low[1], high[1]


def filling(band: Band, span: Pair, heights: Pair, columns: int, rows: int) -> list[Pair]:
    """Return a point in each cell of a chart that lies in the band.

    ``span`` and ``heights`` are the limits of the chart; the cells are at least as many as those
    that it draws.
    """
    return list(_cells(band, span, heights, columns, rows))


def _cells(band: Band, span: Pair, heights: Pair, columns: int, rows: int) -> Iterator[Pair]:
    wide, tall = (span[1] - span[0]) / columns, (heights[1] - heights[0]) / rows
    for column in range(columns):
        x = span[0] + (column + 0.5) * wide
        ends = _between(band, x)
        if ends is None:
            continue
        first = max(0, math.floor((ends[0] - heights[0]) / tall))
        last = min(rows - 1, math.floor((ends[1] - heights[0]) / tall))
        yield from ((x, heights[0] + (row + 0.5) * tall) for row in range(first, last + 1))


def _between(band: Band, x: float) -> Pair | None:
    """Both ends at ``x`` on the lines between the points; ``None`` beside them."""
    for place in range(1, len(band.low)):
        (left, low), (right, next_low) = band.low[place - 1], band.low[place]
        if left <= x <= right and right > left:
            share = (x - left) / (right - left)
            high, next_high = band.high[place - 1][1], band.high[place][1]
            return low + share * (next_low - low), high + share * (next_high - high)
    return None
