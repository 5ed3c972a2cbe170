"""The legend of a comparison: each run with its sign in the chart and a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from engine.runs.comparison import Comparison, Row
from tui.charts.canvas import Canvas
from tui.charts.chart import Curve
from tui.format.numbers import number
from tui.format.text import literal, shortened
from tui.widgets.columns import fit

_CELLS = 34
"""Cells of one run."""
_MUTED = "$foreground 60%"


@dataclass(frozen=True)
class Entry:
    """A run in the legend."""

    sign: Content
    name: str
    value: float | None
    best: bool


def row_at(x: float, curves: Sequence[Curve]) -> Row:
    """Return the values of the points that are nearest to ``x``."""
    points = [curve.at(x) for curve in curves]
    return Row("", tuple(point and point[1] for point in points))


def final_row(comparison: Comparison | None, metric: str, runs: int) -> Row:
    """Return the final values of a metric, as far as they are known, for that many runs."""
    rows = comparison.metrics if comparison else ()
    return next((row for row in rows if row.name == metric), Row("", (None,) * runs))


class Legend(Canvas):
    """The runs side by side, in several lines where they need them."""

    def show_entries(self, entries: Sequence[Entry], width: int) -> None:
        """Show the runs in lines of ``width`` cells."""
        columns = max(1, width // _CELLS)
        cells = list(map(_cell, entries))
        starts = range(0, len(cells), columns)
        lines = [Content("").join(cells[start : start + columns]) for start in starts]
        self.styles.height = max(1, len(lines))
        self.show(lines)


def _cell(entry: Entry) -> Content:
    value = number(entry.value) + " ◆" * entry.best
    room = _CELLS - 6 - len(value)
    shown = Content.styled(value, "bold" if entry.best else _MUTED)
    named = fit(literal(shortened(entry.name, room)), room)
    return Content(" ").join([entry.sign, named, shown, Content("")])
