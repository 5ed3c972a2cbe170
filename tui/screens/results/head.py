"""The line above the results: the run, its state and its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, takewhile

from textual import events
from textual.content import Content

from engine.config.metric import LOSS
from engine.runs.origin import host_of
from tui.charts.canvas import Canvas
from tui.format.numbers import number
from tui.format.run_states import STATES
from tui.format.text import literal
from tui.screens.results.reading import Results

_ASKED_FOR = "accuracy"
"""The metric that people ask for, even where the loss chose the weights."""


class Head(Canvas):
    """As many of the metrics as fit whole: half a number would be another one."""

    _results: Results | None = None

    def show_results(self, results: Results) -> None:
        """Show the head of a run's results."""
        self._results = results
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the new width."""
        del event
        self._lay_out()

    def _lay_out(self) -> None:
        if self._results is not None and self.size.width:
            self.show([head(self._results, self.size.width)])


def head(results: Results, width: int) -> Content:
    """Return the line in ``width`` cells."""
    name = literal(results.run.id, 64).stylize("bold $primary")
    if host := host_of(results.run):
        name += literal(f" on {host}", 40).stylize("bold $primary")
    state = Content.styled(*STATES[results.state])
    line = name + Content("   ") + state
    lines = accumulate(_metrics(results), initial=line)
    *_, longest = takewhile(lambda one: one is line or one.cell_length <= width, lines)
    return longest


def _metrics(results: Results) -> Iterator[Content]:
    """Yield the metrics of the last split that was evaluated, as they are appended."""
    metric = results.report.get("metric")
    for split, metrics in reversed((results.report.get("metrics") or {}).items()):
        names = dict.fromkeys([
            *[_ASKED_FOR] * (metric == LOSS.name and _ASKED_FOR in metrics), metric,
        ])  # fmt: skip
        for place, name in enumerate(names):
            before = ", " if place else f"{split} "
            text = literal(f"{before}{name} {number(metrics.get(name))}", 60).stylize("bold")
            yield text if place else Content("   ") + text
        return
