"""A chart of up to twelve curves of the same kind, distinguished by colour and by marker."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from tui.charts.chart import SERIES, marker_of
from tui.charts.explorer import ChartExplorer
from tui.format.text import literal


class SeriesChart(ChartExplorer):
    """Its curves are named beside it, by :meth:`sign`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "log_scale", "Log scale"),
        Binding("w", "smooth", "Smooth"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{style}" for style in SERIES}
    # Okabe and Ito's colours first, then others that stay apart from them in hue or lightness;
    # all are of a middle lightness, so that they can be seen on dark and on light ground.
    DEFAULT_CSS = """
    SeriesChart {
        .chart--series-1 { color: #e69f00; }
        .chart--series-2 { color: #56b4e9; }
        .chart--series-3 { color: #009e73; }
        .chart--series-4 { color: #d55e00; }
        .chart--series-5 { color: #cc79a7; }
        .chart--series-6 { color: #3a86d8; }
        .chart--series-7 { color: #b5b000; }
        .chart--series-8 { color: #9a6fe0; }
        .chart--series-9 { color: #8c8c8c; }
        .chart--series-10 { color: #17a2a2; }
        .chart--series-11 { color: #c0504d; }
        .chart--series-12 { color: #7fa800; }
    }
    """

    class Redrawn(Message):
        """The cursor, or what is drawn, may be another one."""

    def redraw(self) -> None:
        """Redraw, and post a message."""
        super().redraw()
        self.post_message(self.Redrawn())

    def sign(self, style: str) -> Content:
        """Return a curve's sign in the legend: a piece of its line with its marker."""
        red, green, blue = self._color(style)
        return Content.styled(f"━{marker_of(style)}━", f"rgb({red},{green},{blue})")

    def _legend(self) -> list[Content]:
        """The title, the axis and its settings; the curves are named elsewhere."""
        parts = [literal(self._title, 60).stylize("bold $foreground")]
        settings = [self._axis, *["log"] * self.log_scale, *["smoothed"] * self.smooth]
        settings += ["zoomed"] * (self.span is not None)
        parts.append(literal("over " + ", ".join(settings)))
        if self.cursor is not None:
            parts.append(Content(f"{self._axis} {self._x_text(self.cursor)}").stylize("$accent"))
        return parts
