"""The part of the runs' histories that the chart shows: one metric of a split over an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.runs.comparison import Comparison
from engine.runs.history import History
from engine.runs.status import State
from tui.charts.chart import Curve
from tui.widgets.run_panels import AXES, place_on

_SPLITS = ("validation", "train")


@dataclass
class Drawing:
    """The choice of a metric, a split and an axis."""

    metrics: Sequence[str] = ()
    """All metrics that can be drawn: those that all tasks have."""
    metric: str = ""
    """The metric that is drawn; empty until the runs are known."""
    axis: str = AXES[0]
    split: str = _SPLITS[0]

    @property
    def title(self) -> str:
        """The metric and its split."""
        return f"{self.metric} ({self.split})"

    def offer(self, comparison: Comparison, histories: Sequence[History]) -> None:
        """Offer the metrics of a comparison; draw the one that decides if none was chosen.

        The training is drawn where no run has an evaluation of that metric.
        """
        self.metrics = list(comparison.common)
        if not self.metric:
            decides = comparison.runs[0].metric
            self.metric = decides if decides in self.metrics else self.metrics[0]
            if all(run.state is State.IMPORTED for run in comparison.runs):
                known = {key for history in histories for key in history.curves}
                validated = (self.metric, _SPLITS[0]) in known
                self.split = _SPLITS[0 if validated else 1]

    def next_metric(self, step: int) -> None:
        """Choose another metric."""
        if self.metrics:
            at = self.metrics.index(self.metric) if self.metric in self.metrics else 0
            self.metric = self.metrics[(at + step) % len(self.metrics)]

    def next_axis(self) -> None:
        """Choose the epoch, the step or the time."""
        self.axis = AXES[(AXES.index(self.axis) + 1) % len(AXES)]

    def next_split(self) -> None:
        """Choose the training or the validation split."""
        self.split = _SPLITS[1 - _SPLITS.index(self.split)]

    def curve(self, name: str, style: str, history: History, axis: str) -> Curve:
        """Return the curve of a run; it has no points where the run has no such metric."""
        curve = history.curves.get((self.metric, self.split))
        points = curve.points if curve is not None else []
        place = place_on(axis)
        return Curve(name, style, [(place(point), point.value) for point in points])
