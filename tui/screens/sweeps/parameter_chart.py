"""The chart of a sweep: its trials over one parameter at a time."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sweep.space import Dimension
from engine.sweep.table import SweepTable
from tui.charts.chart import Chart
from tui.screens.sweeps.scatter import scatter


class ParameterChart(Chart):
    """Draws the metric of the trials against the chosen parameter."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._trials = SweepTable()
        self._dimensions: Sequence[Dimension] = ()
        self._parameter = 0

    def set_dimensions(self, dimensions: Sequence[Dimension]) -> None:
        """Set the parameters to choose from."""
        self._dimensions = dimensions

    def show_trials(self, table: SweepTable) -> None:
        """Draw these trials."""
        self._trials = table
        self._draw_parameter()

    def next_parameter(self, step: int) -> None:
        """Draw the trials against another parameter."""
        if self._dimensions:
            self._parameter = (self._parameter + step) % len(self._dimensions)
            self._draw_parameter()

    def _draw_parameter(self) -> None:
        if not self._dimensions:
            return
        drawn = scatter(self._trials, self._dimensions[self._parameter])
        title = f"{self._trials.metric or 'value'} over {drawn.axis}"
        labels, log = drawn.labels, drawn.log
        self.plot(title, drawn.curves, drawn.best, axis="", labels=labels, log_x=log)
