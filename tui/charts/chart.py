"""A chart of curves with its legend above; colours come from the theme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.message import Message

from tui.charts.band import SHADE, Band
from tui.charts.canvas import Canvas
from tui.charts.plot import MARK, Color, Line, Pair, Plot, draw, faint
from tui.format.numbers import duration, number
from tui.format.text import literal

STYLES = ("train", "validation", "other", "third")
"""Styles of a curve, each with a colour of the theme and a marker."""
SERIES = tuple(f"series-{place}" for place in range(1, 13))
"""Styles of curves of the same kind, as of several runs; each with a marker and a colour."""
MOST_SERIES = len(SERIES)
"""Number of curves that can be distinguished."""
_MARKERS = {"train": "", "validation": "●", "other": "▲", "third": "■"} | dict(
    zip(SERIES, "●▲■▼○△□▽+×%&", strict=True)
)
SMOOTHING = 0.9
_LEGEND_LINES = 3
_NOTE = 80
TIME = "time"
"""The name of an axis of seconds."""
_COUNTED = ("epoch", "step")
"""The names of axes of whole numbers."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A named curve and one of :data:`STYLES`."""

    name: str
    style: str
    points: Sequence[Pair]
    joined: bool = True
    """Whether a line goes through the points."""

    def at(self, x: float) -> Pair | None:
        """The point that is nearest to ``x``."""
        return min(self.points, key=lambda point: abs(point[0] - x), default=None)


def marker_of(style: str) -> str:
    """Return the marker of a style, empty for none."""
    return _MARKERS[style]


class Chart(Canvas):
    """Draws what it was given last, in a thread; again after a change of size or theme."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"chart--{style}" for style in (*STYLES, "best", "cursor")
    }
    DEFAULT_CSS = """
    Chart {
        height: 1fr;
        color: $text-muted;
        .chart--train { color: $primary; }
        .chart--validation { color: $warning; }
        .chart--other { color: $success; }
        .chart--third { color: $error; }
        .chart--best { color: $foreground; }
        .chart--cursor { color: $accent; }
    }
    """

    @dataclass
    class Drawn(Message, bubble=False):
        """The lines of the chart are made."""

        lines: Sequence[Content]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._title = ""
        self._axis = ""
        self._labels: Mapping[float, str] = {}
        self._log_x = False
        self._curves: Sequence[Curve] = ()
        self._band: Band | None = None
        self._marks: Mapping[float, str] = {}
        self._best: Pair | None = None
        self.best_by = ""
        """The metric by which the marked point is the best, for the legend."""
        self.notes: Mapping[tuple[str, str], str] = {}
        """Remarks for the legend, by the title of the chart and the name of a curve."""
        self._wanted: tuple[Sequence[Content], Plot, int, int] | None = None
        self._drawing = False
        self.sent = 0
        """Cells that changed from the previous frame to the newest."""
        self.log_scale = False
        self.smooth = False
        self.span: Pair | None = None
        """The part of the x axis that is seen; ``None`` for all of it."""
        self.cursor: float | None = None
        """The x coordinate whose values are shown."""

    def plot(
        self,
        title: str,
        curves: Sequence[Curve],
        best: Pair | None = None,
        axis: str = "epoch",
        labels: Mapping[float, str] | None = None,
        band: Band | None = None,
        marks: Mapping[float, str] | None = None,
        log_x: bool = False,
    ) -> None:
        """Show these curves; ``best`` is a point that is marked, ``axis`` the name of x, which is
        empty where the title has it, ``labels`` are texts of x coordinates, such as dates,
        ``band`` is a shade behind the curves, ``marks`` are texts of places with a line, and
        ``log_x`` says that x coordinates are decimal logarithms."""
        self._marks = marks or {}
        self._labels = labels or {}
        self._band = band
        self._log_x = log_x
        self._title, self._curves, self._best, self._axis = title, curves, best, axis
        self.redraw()

    def redraw(self) -> None:
        """Draw again, as after ``log_scale`` or ``smooth`` was set."""
        width, height = self.size
        if not width:
            return
        legend = _packed(self._legend(), width)
        self._wanted = (legend, self._plot(), width, height - len(legend))
        if not self._drawing:
            self._draw_next()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the new size."""
        del event
        self.redraw()

    def notify_style_update(self) -> None:
        """Take the colours of the new theme."""
        super().notify_style_update()
        if self._curves:
            self.redraw()

    def on_chart_drawn(self, event: Drawn) -> None:
        """Show it, and draw what has been wanted meanwhile."""
        self._drawing = False
        self.sent = self.show(event.lines)
        if self._wanted is not None:
            self._draw_next()

    def _draw_next(self) -> None:
        """A large chart takes some 50 ms, for which no key should wait."""
        if self._wanted is not None:
            work = partial(self._work, *self._wanted)
            self._wanted, self._drawing = None, True
            self.run_worker(work, thread=True, group="chart")

    def _work(self, legend: Sequence[Content], plot: Plot, width: int, height: int) -> None:
        self.post_message(self.Drawn([*legend, *draw(plot, width, height)]))

    def _plot(self) -> Plot:
        return Plot(
            [
                Line(
                    curve.name,
                    curve.points,
                    self._color(curve.style),
                    _MARKERS[curve.style],
                    curve.joined,
                )
                for curve in self._curves
            ],
            self._best,
            self._color("best"),
            self.log_scale,
            SMOOTHING if self.smooth else 0.0,
            self.span,
            self.cursor,
            self._color("cursor"),
            self._axis == TIME,
            self._labels,
            self._band,
            faint(self._color("validation")),
            list(self._marks),
            self._axis in _COUNTED,
            self._log_x,
        )

    def _color(self, style: str) -> Color:
        return self.get_component_styles(f"chart--{style}").color.rgb

    def _legend(self) -> list[Content]:
        """The title, the curves (with their values at the cursor), the axis and its settings."""
        parts = [literal(self._title, 40).stylize("bold $foreground")]
        if self.cursor is not None:
            parts.append(Content(f"{self._axis} {self._x_text(self.cursor)}").stylize("$accent"))
        for curve in self._curves:
            marker = _MARKERS[curve.style]
            sign = Content(f"━{marker}━".replace("━━", "━━━") if curve.joined else marker)
            red, green, blue = self._color(curve.style)
            entry = sign.stylize(f"rgb({red},{green},{blue})") + literal(f" {curve.name}", 40)
            if (point := self._at_cursor(curve)) is not None:
                entry += Content(f" {number(point[1])}").stylize("bold $foreground")
            elif self.cursor is None and (note := self.notes.get((self._title, curve.name))):
                entry += literal(f" ({note})", _NOTE)
            parts.append(entry)
        if self._band is not None:
            parts.append(self._band_entry(self._band))
        if self._best is not None:
            parts.append(literal(f"◆ best by {self.best_by}" if self.best_by else "◆ best", 40))
        if self._marks:
            near = self._nearest_mark()
            parts.append(literal(f"{MARK} {near}", 60))
        if self.cursor is None:
            settings = [self._axis, *["log"] * self.log_scale, *["smoothed"] * self.smooth]
            settings += ["zoomed"] * (self.span is not None)
            parts += [literal("over " + ", ".join(settings))] * any(settings)
        return parts

    def _at_cursor(self, curve: Curve) -> Pair | None:
        """Return the point nearest to the cursor; on a date, only one of this date."""
        point = None if self.cursor is None else curve.at(self.cursor)
        elsewhere = point is not None and point[0] != self.cursor and self.cursor in self._labels
        return None if elsewhere else point

    def _nearest_mark(self) -> str:
        """Return the text of the mark nearest to the cursor; of the last one without a cursor."""
        places = list(self._marks)
        x = places[-1] if self.cursor is None else self.cursor
        return self._marks[min(places, key=lambda place: abs(place - x))]

    def _band_entry(self, band: Band) -> Content:
        red, green, blue = self._color("validation")
        entry = Content.styled(SHADE * 3, f"rgb({red},{green},{blue})") + literal(f" {band.name}")
        if self.cursor is not None and (ends := band.at(self.cursor)) is not None:
            span = f" {number(ends[0])} to {number(ends[1])}"
            entry += Content(span).stylize("bold $foreground")
        return entry

    def _x_text(self, x: float) -> str:
        if x in self._labels:
            return f"{x:,.0f}, {self._labels[x]}"
        if self._axis == TIME:
            return f"{x:.1f} s" if x < 60 else duration(x)
        if self._log_x:
            return f"{10**x:.3g}"
        return f"{x:,.0f}" if self._axis == "step" else f"{x:.4g}"


def _packed(parts: Sequence[Content], width: int) -> list[Content]:
    """Return the entries of a legend in as many lines as they need."""
    gap = Content("   ")
    lines = [parts[0]]
    for part in parts[1:]:
        longer = lines[-1] + gap + part
        if longer.cell_length <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines[:_LEGEND_LINES]
