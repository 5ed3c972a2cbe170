"""The windows of several series in flat arrays: where each begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.data.series.panel import Rows


@dataclass(frozen=True)
class WindowPlan:
    """The windows there are: for each series, the beginnings of its rows and of its forecasts."""

    starts: Rows
    """``[series]``: the first row of each."""
    first: Rows
    """``[series]``: the row of the first step that is forecast."""
    counts: Rows
    """``[series]``: the number of windows."""
    window: int
    horizon: int
    stride: int = 1


def plan_windows(
    starts: Rows, context: Rows, window: int, horizon: int, stride: int = 1
) -> WindowPlan:
    """Plan all windows whose horizon lies behind the ``context`` of each series.

    ``starts`` is ``[series + 1]``, ``context`` ``[series]``. Without context, a window begins with
    the series; a series too short for one has a single window that is filled up on the left, and
    none where not even a row is left before the horizon.
    """
    lengths = np.diff(starts)
    first = np.where(context > 0, context, np.minimum(lengths - horizon, window))
    first = np.maximum(first, 1)
    counts = np.maximum((lengths - horizon - first) // stride + 1, 0)
    return WindowPlan(starts[:-1], starts[:-1] + first, counts, window, horizon, stride)
