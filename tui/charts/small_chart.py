"""A chart in a grid: one line says what it is and where it stands, the rest is the curve."""

from __future__ import annotations

from textual.content import Content

from tui.charts.chart import Chart
from tui.format.numbers import number
from tui.format.text import literal


class SmallChart(Chart):
    """A chart whose legend is one line with the newest value of each curve."""

    DEFAULT_CSS = "SmallChart { height: 1fr; width: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.marked = False
        """Whether it is the one that keys act on."""

    def _legend(self) -> list[Content]:
        style = "bold $accent reverse" if self.marked else "bold $foreground"
        line = literal(f" {self._title} ", 40).stylize(style)
        for curve in self._curves:
            if curve.points:
                red, green, blue = self._color(curve.style)
                value = literal(f"  {curve.name} {number(curve.points[-1][1])}", 40)
                line += value.stylize(f"rgb({red},{green},{blue})")
        if self._best is not None:
            line += Content(f"  ◆ {number(self._best[1])}")
            other = self.best_by and self.best_by != self._title
            by = literal(f" at best {self.best_by}", 40)
            if other and line.cell_length + by.cell_length <= self.size.width:
                line += by
        return [line]
