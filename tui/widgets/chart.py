"""A chart of curves with its legend above; colours come from the theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.content import Content

from tui.plot import Color, Line, Pair, Plot, draw
from tui.text import literal
from tui.widgets.canvas import Canvas

STYLES = ("train", "validation", "other", "third")
"""The looks of a curve, each with a colour of the theme and a marker."""
_MARKERS = {"train": "", "validation": "●", "other": "▲", "third": "■"}
SMOOTHING = 0.9


@dataclass(frozen=True, slots=True)
class Curve:
    """A named curve and one of :data:`STYLES`."""

    name: str
    style: str
    points: Sequence[Pair]


class Chart(Canvas):
    """Draws what it was given last; again after a change of size or theme."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{style}" for style in (*STYLES, "best")}
    DEFAULT_CSS = """
    Chart {
        height: 1fr;
        color: $text-muted;
        .chart--train { color: $primary; }
        .chart--validation { color: $warning; }
        .chart--other { color: $success; }
        .chart--third { color: $error; }
        .chart--best { color: $foreground; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title = ""
        self._axis = ""
        self._curves: Sequence[Curve] = ()
        self._best: Pair | None = None
        self.log_scale = False
        self.smooth = False

    def plot(
        self, title: str, curves: Sequence[Curve], best: Pair | None = None, axis: str = "epoch"
    ) -> None:
        """Show these curves; ``best`` is a point that is marked, ``axis`` the name of x."""
        self._title, self._curves, self._best, self._axis = title, curves, best, axis
        self.redraw()

    def redraw(self) -> None:
        """Draw again, as after ``log_scale`` or ``smooth`` was set."""
        width, height = self.size
        if not width:
            return
        plot = Plot(
            [
                Line(curve.name, curve.points, self._color(curve.style), _MARKERS[curve.style])
                for curve in self._curves
            ],
            self._best,
            self._color("best"),
            self.log_scale,
            SMOOTHING if self.smooth else 0.0,
        )
        self.show([self._legend(), *draw(plot, width, height - 1)])

    def on_resize(self, event: events.Resize) -> None:
        """Fit the new size."""
        del event
        self.redraw()

    def notify_style_update(self) -> None:
        """Take the colours of the new theme."""
        super().notify_style_update()
        if self._curves:
            self.redraw()

    def _color(self, style: str) -> Color:
        return self.get_component_styles(f"chart--{style}").color.rgb

    def _legend(self) -> Content:
        parts = [literal(self._title, 40).stylize("bold $foreground")]
        for curve in self._curves:
            sign = Content(f"━{_MARKERS[curve.style]}━".replace("━━", "━━━"))
            red, green, blue = self._color(curve.style)
            parts.append(sign.stylize(f"rgb({red},{green},{blue})") + literal(f" {curve.name}", 40))
        if self._best is not None:
            parts.append(Content("◆ best"))
        settings = [self._axis, *["log"] * self.log_scale, *["smoothed"] * self.smooth]
        parts.append(literal("over " + ", ".join(settings)))
        return Content("   ").join(parts)
