"""Charts as text: curves are thinned to what a terminal can show and drawn by plotext."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual.content import Content

from tui.text import literal

Color = tuple[int, int, int]
Pair = tuple[float, float]
_LIMIT = 1e30

MINIMUM = (16, 4)
"""Columns and rows below which nothing can be drawn."""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: points by rising x, and how it looks."""

    name: str
    points: Sequence[Pair]
    color: Color
    marker: str = ""
    """A character on every point, for those who do not see the colour."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What one chart shows."""

    lines: Sequence[Line]
    best: Pair | None = None
    best_color: Color = (255, 255, 255)
    log: bool = False
    smoothing: float = 0.0
    """Weight of the past in an exponential mean, 0 for none, below 1."""


def draw(plot: Plot, width: int, height: int) -> list[Content]:
    """The chart's lines; a sentence where there is nothing to draw. Never raises on any numbers."""
    if width < MINIMUM[0] or height < MINIMUM[1]:
        return [Content("too small")]
    lines = [(line, points) for line in plot.lines if (points := _prepared(line, plot, width))]
    if not lines:
        return _empty(plot, width, height)
    text = Text.from_ansi(_build(plot, lines, width, height))
    return [Content.from_rich_text(line) for line in text.split()]


def _prepared(line: Line, plot: Plot, columns: int) -> list[Pair]:
    points = smooth(drawable(line.points, plot.log), plot.smoothing)
    return on_scale(thin(points, columns), plot.log)


def on_scale(points: Sequence[Pair], log: bool) -> list[Pair]:
    """The points as they are drawn: with the logarithms of their values on a log scale."""
    return [(x, math.log10(y)) for x, y in points] if log else list(points)


def drawable(points: Sequence[Pair], log: bool) -> list[Pair]:
    """The points that have a place: finite, and positive where the scale is logarithmic."""
    return [
        (x, y) for x, y in points if abs(x) < _LIMIT and abs(y) < _LIMIT and (not log or y > 1e-30)
    ]


def smooth(points: Sequence[Pair], weight: float) -> list[Pair]:
    """Exponential mean, corrected for its beginning as in Adam (Kingma and Ba 2015)."""
    if not weight:
        return list(points)
    result, mean, norm = [], 0.0, 0.0
    for x, y in points:
        mean = weight * mean + (1 - weight) * y
        norm = weight * norm + (1 - weight)
        result.append((x, mean / norm))
    return result


def thin(points: Sequence[Pair], columns: int) -> list[Pair]:
    """At most two points a column, the lowest and the highest of those that fall into it."""
    if len(points) <= 2 * columns:
        return list(points)
    return list(_extremes(points, columns))


def _extremes(points: Sequence[Pair], columns: int) -> Iterator[Pair]:
    first, last = points[0][0], points[-1][0]
    scale = columns / (last - first) if last > first else 0.0
    column: list[Pair] = []
    for point in points:
        if column and int((point[0] - first) * scale) != int((column[0][0] - first) * scale):
            yield from _lowest_and_highest(column)
            column = []
        column.append(point)
    yield from _lowest_and_highest(column)


def _lowest_and_highest(column: list[Pair]) -> list[Pair]:
    low = min(range(len(column)), key=lambda i: column[i][1])
    high = max(range(len(column)), key=lambda i: column[i][1])
    return [column[i] for i in sorted({low, high})]


def _build(plot: Plot, lines: Sequence[tuple[Line, list[Pair]]], width: int, height: int) -> str:
    """The chart as text with colour codes, drawn by plotext."""
    import plotext  # 0.1 s, which the first paint need not wait for

    figure = plotext.figure
    plotext.terminal.limit(False, False)
    figure.clear.all()
    figure.theme("colorless")
    figure.canvas("default")
    figure.legend(False)
    figure.plot_size(width, height)
    _set_rulers(figure, plot, [points for _, points in lines], height)
    for line, points in lines:
        for marker, connected in (("braille", True), (line.marker, False)):
            if marker:
                _draw(figure, plotext, points, marker, line.color, connected)
    best = on_scale(drawable([plot.best] if plot.best else [], plot.log), plot.log)
    if best:
        _draw(figure, plotext, best, "◆", plot.best_color, False)
    return str(figure.build().string())


def _draw(
    figure: Any, plotext: Any, points: Sequence[Pair], marker: str, color: Color, connected: bool
) -> None:
    signal = figure.signal(
        [x for x, _ in points],
        [y for _, y in points],
        marker=plotext.marker(marker, plotext.pixel(foreground=color)),
    )
    figure.draw(signal.lines() if connected else signal)


def _set_rulers(figure: Any, plot: Plot, curves: Sequence[Sequence[Pair]], height: int) -> None:
    """Limits and a few round ticks; plotext's own ticks have too many digits."""
    x_low, x_high = limits([x for points in curves for x, _ in points])
    y_low, y_high = limits([y for points in curves for _, y in points])
    figure.ruler(0, 0).lim(x_low, x_high)
    figure.ruler(1, 0).lim(y_low, y_high)
    figure.ruler(0, 0).ticks(*ticks(x_low, x_high, 7))
    scale = _log_ticks if plot.log else ticks
    figure.ruler(1, 0).ticks(*scale(y_low, y_high, max(2, height // 2)))


def limits(values: Sequence[float]) -> Pair:
    """Bounds around the values, apart even where all are the same.

    They lie on a grid of about a sixteenth of the range: a chart that grows keeps its scale for
    a while, so that only its end is new on the screen.
    """
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(low) / 2 or 0.5
        return low - room, high + room
    step = 2.0 ** (math.floor(math.log2(high - low)) - 4)
    return math.floor(low / step) * step, math.ceil(high / step) * step


def ticks(low: float, high: float, count: int) -> tuple[list[float], list[str]]:
    """About ``count`` round numbers between the limits, with their texts."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    values = [i * step for i in range(first, first + count + 2) if i * step <= high + step * 1e-9]
    return values, [f"{round(value / step) * step:.6g}" for value in values]


def _log_ticks(low: float, high: float, count: int) -> tuple[list[float], list[str]]:
    """Powers of ten, and 2 and 5 times those where the range is short; limits are logarithms."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1, 2, 5) if len(powers) <= count // 2 else (1,)
    values = [factor * 10.0**power for power in powers for factor in factors]
    values = [value for value in values if low <= math.log10(value) <= high]
    values = values[:: -(-len(values) // count) or 1] or [10**low, 10**high]
    return [math.log10(value) for value in values], [f"{value:.3g}" for value in values]


def _empty(plot: Plot, width: int, height: int) -> list[Content]:
    has_points = any(line.points for line in plot.lines)
    text = "no positive numbers for a log scale" if plot.log and has_points else "no values yet"
    line = literal(text, width)
    above = [Content("")] * ((height - 1) // 2)
    return [*above, line.pad_left((width - line.cell_length) // 2)]
