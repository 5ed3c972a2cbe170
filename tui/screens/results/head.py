"""The line above the results: the run, its state and its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, takewhile

from textual import events
from textual.content import Content

from engine.config.metric import LOSS
from engine.runs.directory import RunDirectory
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

    def __init__(self, run: RunDirectory, *, id: str) -> None:
        super().__init__(id=id)
        self._run = run
        self._results: Results | None = None

    def show_results(self, results: Results) -> None:
        """Show the head of a run's results."""
        self._results = results
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the new width."""
        del event
        self._lay_out()

    def _lay_out(self) -> None:
        if not self.size.width:
            return
        if self._results is None:
            waiting = literal("   reading the results …").stylize("$text-muted")
            self.show([_name(self._run) + waiting])
        else:
            self.show([head(self._results, self.size.width)])


def _name(run: RunDirectory) -> Content:
    """Return the name of a run, and of its machine if that is another one."""
    host = host_of(run)
    text = literal(run.id, 64) + literal(f" on {host}" if host else "", 40)
    return text.stylize("bold $primary")


def head(results: Results, width: int) -> Content:
    """Return the line in ``width`` cells."""
    name = _name(results.run)
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
