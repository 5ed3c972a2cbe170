"""A chart to explore with a cursor: zoom, pan, and values at any point."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from tui.charts.chart import Chart
from tui.charts.places import Places, inside

_ZOOM = 2.0
_PAN = 0.25
_CLOSEST = 1e-4
"""Share of the whole axis below which nothing is zoomed into."""


class ChartExplorer(Chart, can_focus=True):
    """Keys move a cursor over the points, zoom about it and pan, and change how they are drawn."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Cursor left", show=False),
        Binding("right,l", "move(1)", "Cursor right", show=False),
        Binding("shift+left", "move(-10)", "Cursor far left", show=False),
        Binding("shift+right", "move(10)", "Cursor far right", show=False),
        Binding("home", "ends(0)", "Cursor to the first point", show=False),
        Binding("end", "ends(-1)", "Cursor to the last point", show=False),
        Binding("b", "best", "Cursor to the best", show=False),
        Binding("plus,equals_sign", "zoom(1)", "Zoom in", show=False, key_display="+"),
        Binding("minus", "zoom(-1)", "Zoom out", show=False, key_display="-"),
        Binding("less_than_sign,comma", "pan(-1)", "Pan left", show=False, key_display="<"),
        Binding("greater_than_sign,full_stop", "pan(1)", "Pan right", show=False, key_display=">"),
        Binding("y", "log_scale", "Log scale", show=False),
        Binding("w", "smooth", "Smooth", show=False),
        Binding("0", "whole", "Whole curve", show=False),
        Binding("escape", "whole", "Whole curve", show=False),
    ]
    DEFAULT_CSS = """
    ChartExplorer:focus { background-tint: $foreground 0%; }
    """

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is left to the screen where there is nothing to take back."""
        del parameters
        return action != "whole" or self.span is not None or self.cursor is not None

    def action_move(self, points: int) -> None:
        """Move the cursor over points; where they are dense, by a column at least."""
        places = Places.of(self._curves).within(self.span)
        if not places.xs:
            return
        if self.cursor is None:
            self._point(places.xs[-1])
        else:
            self._point(places.step(self.cursor, points, self.size.width))

    def action_ends(self, place: int) -> None:
        """Put the cursor on the first or the last point."""
        if xs := Places.of(self._curves).xs:
            self._point(xs[place])

    def action_best(self) -> None:
        """Put the cursor on the best evaluation."""
        if self._best is not None:
            self._point(self._best[0])

    def action_zoom(self, step: int) -> None:
        """See less, or more, of the axis about the cursor, or else about the newest points."""
        whole = Places.of(self._curves).whole
        if whole is None:
            return
        low, high = self.span or whole
        width = min((high - low) * _ZOOM**-step, whole[1] - whole[0])
        if width < (whole[1] - whole[0]) * _CLOSEST:
            return
        centre = high if self.cursor is None else self.cursor
        share = (centre - low) / (high - low) if high > low else 0.5
        self._see(centre - share * width, width)

    def action_pan(self, step: int) -> None:
        """Pan to the left or to the right."""
        if self.span is not None:
            low, high = self.span
            self._see(low + step * _PAN * (high - low), high - low)

    def action_log_scale(self) -> None:
        """Switch between a linear and a logarithmic scale."""
        self.log_scale = not self.log_scale
        self.redraw()

    def action_smooth(self) -> None:
        """Switch the smoothing of curves."""
        self.smooth = not self.smooth
        self.redraw()

    def action_whole(self) -> None:
        """See everything, without a cursor."""
        self.span = self.cursor = None
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse points."""
        places = Places.of(self._curves)
        span, frame = self.span or places.whole, self._frame()
        if span and places.xs and frame and frame[0] <= event.x <= frame[1]:
            share = (event.x - frame[0]) / max(1, frame[1] - frame[0])
            x = span[0] + share * (span[1] - span[0])
            self._point(places.nearest(x))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in."""
        event.stop()
        self.action_zoom(1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out."""
        event.stop()
        self.action_zoom(-1)

    def _point(self, x: float) -> None:
        self.cursor = x
        if self.span is not None and not inside(x, self.span):
            width = self.span[1] - self.span[0]
            self._see(x - width / 2, width)
        else:
            self.redraw()

    def _see(self, low: float, width: float) -> None:
        """Show a part of the axis, within what there is."""
        self.span = Places.of(self._curves).span(low, width)
        self.redraw()

    def _frame(self) -> tuple[int, int] | None:
        """Return the columns that bound the curves, from the chart's upper edge."""
        edge = next((line.plain for line in self._lines if "┌" in line.plain), "")
        left, right = edge.find("┌"), edge.find("┐")
        return (left + 1, right - 1) if 0 <= left < right else None
