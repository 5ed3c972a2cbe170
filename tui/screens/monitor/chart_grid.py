"""The metrics of a run: several small charts at once, or one that is explored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Grid
from textual.message import Message

from tui.charts.chart import Curve
from tui.charts.explorer import ChartExplorer
from tui.charts.plot import Pair
from tui.charts.small_chart import SmallChart

MOST = 6
"""Small charts at once."""
_WIDE, _MIDDLE = 150, 90
"""Columns that have room for three small charts side by side, and for two."""
_HIGH = 9
"""Lines of a small chart."""
Curves = Callable[[str], tuple[Sequence[Curve], Pair | None]]
"""Returns a metric's curves and its best point."""


def layout(metrics: int, width: int, height: int) -> tuple[int, int]:
    """Return columns and rows of a grid for ``metrics`` charts; 1 and 1 where a single one fits."""
    most_columns = 3 if width >= _WIDE else 2 if width >= _MIDDLE else 1
    if most_columns == 1 or height < 2 * _HIGH:
        return 1, 1
    shown = min(metrics, MOST)
    columns = min(most_columns, -(-shown // 2) if shown > 2 else 1)
    rows = min(height // _HIGH, -(-shown // columns))
    return columns, rows


class ChartGrid(Container):
    """Keys mark one of the charts; that one is enlarged, or all are shown again."""

    DEFAULT_CSS = """
    ChartGrid {
        height: 1fr;
        Grid { height: 1fr; grid-gutter: 0 2; }
        &:focus { background-tint: $foreground 0%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h,up,k", "mark(-1)", "Previous chart", show=False),
        Binding("right,l,down,j", "mark(1)", "Next chart", show=False),
    ]

    class Marked(Message):
        """Another chart was marked."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.metric = "loss"
        """The metric that is explored, or marked in the grid."""
        self.enlarged = False
        """Whether one chart is shown alone although there is room for several."""
        self.one = ChartExplorer(id="chart")
        self._grid = Grid()
        self._grid.display = False
        self._small = [SmallChart() for _ in range(MOST)]
        self._metrics: Sequence[str] = ()

    def compose(self) -> ComposeResult:
        """Yield the large chart and the small ones, of which either is visible."""
        yield self.one
        with self._grid:
            yield from self._small

    def name_best(self, metric: str) -> None:
        """Say by which metric the marked evaluation is the best."""
        for chart in (self.one, *self._small):
            chart.best_by = metric

    @property
    def sent(self) -> int:
        """Cells that the newest frame sent to the terminal."""
        return sum(chart.sent for chart in self._small) if self._several else self.one.sent

    def show(
        self, metrics: Sequence[str], curves: Curves, axis: str, changes: Mapping[float, str]
    ) -> None:
        """Draw the metrics that there is room for, the marked one among them.

        A metric that the run does not have gives way to the first. ``changes`` are texts by the
        places on the ``axis`` at which a line is drawn.
        """
        self._metrics = metrics
        if self.metric not in metrics:
            self.metric = metrics[0]
        columns, rows = layout(len(metrics), *self.size)
        self._switch(columns * rows > 1 and not self.enlarged)
        if not self._several:
            self.one.plot(self.metric, *curves(self.metric), axis, marks=changes)
            return
        self._grid.styles.grid_size_columns, self._grid.styles.grid_size_rows = columns, rows
        shown = self._page(columns * rows)
        for place, chart in enumerate(self._small):
            chart.display = place < len(shown)
            if chart.display:
                chart.marked = shown[place] == self.metric
                chart.plot(shown[place], *curves(shown[place]), "", marks=changes)

    def action_mark(self, step: int) -> None:
        """Mark the next chart or the one before."""
        if self._metrics:
            at = self._metrics.index(self.metric) if self.metric in self._metrics else 0
            self.metric = self._metrics[(at + step) % len(self._metrics)]
            self.post_message(self.Marked())

    def toggle(self) -> None:
        """Show the marked chart alone, or several again."""
        self.enlarged = not self.enlarged

    def _page(self, room: int) -> Sequence[str]:
        """Return the stretch of metrics with the marked one in it."""
        at = self._metrics.index(self.metric) if self.metric in self._metrics else 0
        first = min(at // room * room, max(0, len(self._metrics) - room))
        return self._metrics[first : first + room]

    @property
    def _several(self) -> bool:
        return bool(self._grid.display)

    def _switch(self, several: bool) -> None:
        """Show the grid or the large chart; the focus goes with what is visible."""
        if self._several == several:
            return
        # Not has_focus, which follows only with the message on it.
        focused = self.screen.focused in (self, self.one)
        self._grid.display = self.can_focus = several
        self.one.display = not several
        if focused:
            self.screen.set_focus(self if several else self.one)
