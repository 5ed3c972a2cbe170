"""The panels of the monitor: each paints its widget from the state of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from textual.widget import Widget

from engine.runs.events import Evaluated
from engine.runs.history import metric_that_decides
from tui.format.metric_names import metric_names
from tui.screens.monitor.chart_grid import ChartGrid
from tui.screens.monitor.repaint import Repaint
from tui.screens.monitor.watcher import Watch
from tui.widgets import run_panels
from tui.widgets.columns import Column
from tui.widgets.lines import Lines
from tui.widgets.listing import Listing
from tui.widgets.log_panel import LogPanel
from tui.widgets.pictures.sheet import drawing_of
from tui.widgets.sample_contents import samples
from tui.widgets.sample_lines import SampleLines, sample_side


class Panel(Protocol):
    """A part of the screen, painted only while it is visible."""

    @property
    def widget(self) -> Widget:
        """The widget that fills the panel."""

    def paint(self, watch: Watch) -> None:
        """Paint the widget if what it shows changed; the lock of ``watch`` is held."""


class Charts:
    """The charts of the metrics."""

    def __init__(
        self, repaint: Repaint, order: Sequence[str], decides: str, adds: str = ""
    ) -> None:
        """Offer metrics in this ``order``, of which one ``decides`` on the best weights.

        ``adds`` is what the training loss has and the validation loss has not.
        """
        self._repaint = repaint
        self._order = order
        self._axis = run_panels.AXES[0]
        self.widget = ChartGrid(id="charts-grid")
        self.widget.one.notes = run_panels.loss_notes(adds)
        self._decides = decides

    def metrics(self, watch: Watch) -> list[str]:
        """Return all metrics that can be drawn."""
        with watch.lock:
            return metric_names(watch.history, self._order)

    def next_axis(self) -> None:
        """Draw against epochs, updates or time."""
        axes = run_panels.AXES
        self._axis = axes[(axes.index(self._axis) + 1) % len(axes)]
        self.widget.one.action_whole()

    def paint(self, watch: Watch) -> None:
        """Draw the curves, at a rate that suits the connection."""
        history, charts = watch.history, self.widget
        drawn = (history.version, charts.metric, charts.enlarged, charts.size, self._axis)
        if self._repaint.new_and_due("chart", charts.sent, *drawn, watch.caught_up):
            axis = run_panels.usable_axis([history], self._axis)
            charts.name_best(metric_that_decides(history, self._decides))
            charts.show(
                metric_names(history, self._order),
                lambda name: run_panels.curves(history, name, axis),
                axis,
                run_panels.changes(history, axis),
            )


class Table:
    """All evaluations, the newest first."""

    def __init__(self, repaint: Repaint, order: Sequence[str]) -> None:
        """Show metrics in this ``order``."""
        self._repaint = repaint
        self._order = order
        self.widget = Listing[Evaluated](
            _columns(()), run_panels.row_cells(()), run_panels.row_key, choosable=False
        )

    def paint(self, watch: Watch) -> None:
        """Show the evaluations so far."""
        history = watch.history
        if not self._repaint.new("table", history.evaluations[-1:], len(history.evaluations)):
            return
        names = [
            name
            for name in metric_names(history, self._order)
            if (name, "validation") in history.curves
        ]
        self.widget.set_columns(_columns(names), run_panels.row_cells(names, history.best))
        self.widget.set_items(list(reversed(history.evaluations)))


class SampleOutputs:
    """A few inputs with the network's outputs."""

    def __init__(self, repaint: Repaint) -> None:
        self._repaint = repaint
        self._back = 0
        self.widget = SampleLines(id="sample-lines")

    def step(self, back: int) -> None:
        """Show samples ``back`` steps earlier."""
        self._back += back

    def paint(self, watch: Watch) -> None:
        """Show the chosen samples, as far as there are any."""
        shown = list(watch.history.sampled)
        self._back = max(0, min(self._back, len(shown) - 1))
        side, drawing = sample_side(self.widget.app), drawing_of(self.widget.app)
        history, ended = watch.history, watch.state.ended
        if self._repaint.new("samples", shown, self._back, side, drawing, ended):
            pictures = history.sample_pictures
            lines = samples(
                shown, history.untrained_samples, self._back, pictures, side, drawing, ended
            )
            self.widget.show_lines(lines)


class ResourceUse:
    """The use of the machine and its GPUs."""

    def __init__(self, repaint: Repaint) -> None:
        self._repaint = repaint
        self.widget = Lines(id="resource-lines")

    def paint(self, watch: Watch) -> None:
        """Show the newest measurement and those before it."""
        history, width = watch.history, self.widget.scrollable_content_region.width
        ended = watch.state.ended
        if self._repaint.new("resources", history.resources, width, ended):
            lines = run_panels.resources(list(history.measured), watch.disk, width, ended)
            self.widget.show_lines(lines, wrap=False)


class Details:
    """The data, the model, and the paths of the files."""

    def __init__(self, repaint: Repaint) -> None:
        self._repaint = repaint
        self.widget = Lines(id="fact-lines")

    def paint(self, watch: Watch) -> None:
        """Show what is known so far."""
        history = watch.history
        width = self.widget.scrollable_content_region.width
        known = (
            history.data,
            history.model,
            history.started,
            history.checkpoint,
            history.changes,
            width,
        )
        if self._repaint.new("details", *known, watch.state, run_panels.paused(history)):
            self.widget.show_lines(run_panels.facts(history, watch.run, width))


class Messages:
    """The run's messages, after the output of the libraries."""

    def __init__(self, repaint: Repaint) -> None:
        self._repaint = repaint
        self.widget = LogPanel(id="log-lines")

    def paint(self, watch: Watch) -> None:
        """Show the messages so far."""
        history, printed = watch.history, watch.log_lines
        newest = history.log[-1] if history.log else None
        if self._repaint.new("log", newest, len(history.log), printed):
            self.widget.show_log(run_panels.log(history, printed))


_LOSS = {"loss": "val loss"}
"""The heading that tells it from the training loss."""


def _columns(metrics: Sequence[str]) -> list[Column]:
    return [
        Column("", 1, 1),
        Column("Epoch", 6, 8, right=True),
        Column("Step", 7, 9, right=True),
        Column("train loss", 10, 12, right=True),
        *(Column(_LOSS.get(name, name), 9, 12, right=True) for name in metrics),
    ]
