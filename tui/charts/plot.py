"""Charts as text: curves are downsampled to what a terminal can show and drawn by plotext."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

from rich.text import Text
from textual.content import Content

from tui.charts.band import SHADE, Band, filling
from tui.format.numbers import duration
from tui.format.text import literal

Color = tuple[int, int, int]
Pair = tuple[float, float]
Ticks = tuple[list[float], list[str]]
"""Places on an axis, and their texts."""
Segment = list[Pair]
"""Points that a line joins."""
_LIMIT = 1e30
_FAINT = 0.45
_PARTS = 20
"""A smoothing window covers at most one in this many parts of a curve, to bound its lag."""
_MARKER_CELLS = 8
"""Between markers where there are many points."""
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Seconds between ticks on an axis of time; whole days beyond."""
MARK = "┊"
"""The character of the lines at :attr:`Plot.marks`."""
_building = threading.Lock()
"""A lock, as plotext has one global figure."""
_SHORT = 8
"""Characters of a label of which many fit below a chart."""
_WHOLE_DIGITS = 6
"""Most digits of a whole number on an axis; larger ones are in powers of ten."""

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
    joined: bool = True
    """Whether a line goes through the points, which have markers all the same."""


@dataclass(frozen=True, slots=True)
class Plot:
    """The content of one chart."""

    lines: Sequence[Line]
    best: Pair | None = None
    best_color: Color = (255, 255, 255)
    log: bool = False
    smoothing: float = 0.0
    """Weight of the past in an exponential mean, 0 for none, below 1; less for few points."""
    span: Pair | None = None
    """The part of the x axis that is seen; ``None`` for all of it."""
    cursor: float | None = None
    """The x coordinate of a vertical line."""
    cursor_color: Color = (128, 128, 128)
    time: bool = False
    """Whether x is in seconds."""
    labels: Mapping[float, str] = field(default_factory=dict)
    """Texts of x coordinates, in rising order; empty where the numbers say it."""
    band: Band | None = None
    """A shade behind the lines; not drawn on a logarithmic scale."""
    band_color: Color = (128, 128, 128)
    marks: Sequence[float] = ()
    """The x coordinates of faint vertical lines."""
    whole: bool = False
    """Whether x counts, as epochs do: the ticks are whole numbers where more than one is seen."""
    log_x: bool = False
    """Whether x coordinates are decimal logarithms of the numbers that the ticks show."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A line as it is drawn: its segments, what lies beneath them, its marked points."""

    line: Line
    segments: Sequence[Segment]
    faint: Sequence[Segment]
    marked: Segment


def draw(plot: Plot, width: int, height: int) -> list[Content]:
    """The chart's lines; a sentence where there is nothing to draw. Never raises on any numbers."""
    if width < MINIMUM[0] or height < MINIMUM[1]:
        return [Content("too small")]
    places = [x for line in plot.lines for x, _ in drawable(line.points, plot.log)]
    if not places:
        return _empty(plot, width, height)
    span = plot.span or limits(places)
    lines = [
        drawn for line in plot.lines if (drawn := _prepared(line, plot, span, width)) is not None
    ]
    if not lines:
        return _empty(plot, width, height)
    with _building:
        text = Text.from_ansi(_build(plot, lines, span, width, height))
    return [Content.from_rich_text(line) for line in text.split()]


def _prepared(line: Line, plot: Plot, span: Pair, columns: int) -> _Drawn | None:
    """Return what is drawn of a line; ``None`` where nothing is.

    Smoothing changes the line, not its markers: they stay on the measured values.
    """
    segments = segments_of(line.points, plot.log)
    raw = _seen(segments, plot, span, columns)
    if not raw:
        return None
    points = on_scale([p for part in segments for p in part if _inside(p[0], span)], plot.log)
    if not line.joined:
        return _Drawn(line, [], [], points)
    marked = _apart(points, span, columns) if line.marker else []
    weight = min(plot.smoothing, 1 - _PARTS / max(_PARTS, *map(len, segments)))
    if not weight:
        return _Drawn(line, raw, [], marked)
    means = [smooth(segment, weight) for segment in segments]
    smoothed = _seen(means, plot, span, columns)
    return _Drawn(line, smoothed, [] if line.marker else raw, marked)


def _apart(points: Sequence[Pair], span: Pair, columns: int) -> list[Pair]:
    """Points for markers, not so many that they would cover the line; the newest is among them."""
    if len(points) * 2 <= columns:
        return list(points)
    wide = columns // _MARKER_CELLS or 1
    first = {_column(x, span, wide): (x, y) for x, y in reversed(points)}
    return [*reversed(first.values()), points[-1]]


def _seen(segments: Sequence[Segment], plot: Plot, span: Pair, columns: int) -> list[Segment]:
    """Return the segments as drawn: on their scale, the part in the span, downsampled."""
    parts = [within(on_scale(segment, plot.log), span) for segment in segments]
    return [thin(part, columns, span) for part in parts if part]


def segments_of(points: Sequence[Pair], log: bool) -> list[Segment]:
    """The points that have a place, apart where one between them has none."""
    groups = groupby(points, key=lambda point: _has_place(point, log))
    return [list(group) for has_place, group in groups if has_place]


def within(points: Sequence[Pair], span: Pair) -> Segment:
    """The points in a part of the x axis, and where lines from them cross its ends.

    plotext crashes the process at a line that leads too far out of the chart.
    """
    low, high = span
    first = next((i for i, (x, _) in enumerate(points) if x >= low), len(points))
    last = next((i for i, (x, _) in enumerate(points) if x > high), len(points))
    seen = list(points[first:last])
    if 0 < first < len(points):
        seen.insert(0, _crossing(points[first - 1], points[first], low))
    if 0 < last < len(points):
        seen.append(_crossing(points[last - 1], points[last], high))
    return seen


def _crossing(before: Pair, after: Pair, x: float) -> Pair:
    """Return the point at ``x`` on the line between two points, the second further right."""
    share = (x - before[0]) / (after[0] - before[0])
    return x, before[1] + share * (after[1] - before[1])


def _inside(value: float, bounds: Pair) -> bool:
    return bounds[0] <= value <= bounds[1]


def on_scale(points: Sequence[Pair], log: bool) -> list[Pair]:
    """The points as they are drawn: with the logarithms of their values on a log scale."""
    return [(x, math.log10(y)) for x, y in points] if log else list(points)


def drawable(points: Sequence[Pair], log: bool) -> list[Pair]:
    """The points that have a place: finite, and positive where the scale is logarithmic."""
    return [point for point in points if _has_place(point, log)]


def _has_place(point: Pair, log: bool) -> bool:
    x, y = point
    return abs(x) < _LIMIT and abs(y) < _LIMIT and (not log or y > 1 / _LIMIT)


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


def thin(points: Sequence[Pair], columns: int, span: Pair | None = None) -> list[Pair]:
    """At most two points a column, the lowest and the highest of those that fall into it.

    The columns divide ``span``, or else what the points take up. In a span that stays, points
    that come change nothing of what was chosen before.
    """
    if len(points) <= 2 * columns:
        return list(points)
    return list(_extremes(points, columns, span or (points[0][0], points[-1][0])))


def _extremes(points: Sequence[Pair], columns: int, span: Pair) -> Iterator[Pair]:
    for _, column in groupby(points, key=lambda point: _column(point[0], span, columns)):
        yield from _lowest_and_highest(list(column))


def _column(x: float, span: Pair, columns: int) -> int:
    low, high = span
    return int((x - low) / (high - low) * columns) if high > low else 0


def _lowest_and_highest(column: list[Pair]) -> list[Pair]:
    low = min(range(len(column)), key=lambda i: column[i][1])
    high = max(range(len(column)), key=lambda i: column[i][1])
    return [column[i] for i in sorted({low, high})]


def _build(plot: Plot, lines: Sequence[_Drawn], span: Pair, width: int, height: int) -> str:
    """The chart as text with colour codes, drawn by plotext."""
    import plotext  # 0.1 s, which the first paint need not wait for

    figure = plotext.figure
    plotext.terminal.limit(False, False)
    figure.clear.all()
    figure.theme("colorless")
    figure.canvas("default")
    figure.legend(False)
    figure.plot_size(width, height)
    heights = _set_rulers(figure, plot, lines, span, height)
    for x in filter(lambda x: _inside(x, span), plot.marks):
        upright = [(x, height) for height in heights]
        _draw(figure, plotext, upright, MARK, faint(plot.cursor_color), True)
    if plot.cursor is not None and _inside(plot.cursor, span):
        upright = [(plot.cursor, height) for height in heights]
        _draw(figure, plotext, upright, "│", plot.cursor_color, True)
    if plot.band is not None and not plot.log:
        shade = filling(plot.band, span, heights, width, height)
        if shade:
            _draw(figure, plotext, shade, SHADE, plot.band_color, False)
    for drawn in lines:
        color = drawn.line.color
        for segment in drawn.faint:
            _draw(figure, plotext, segment, "braille", faint(color), True)
        for segment in drawn.segments:
            _draw(figure, plotext, segment, "braille", color, True)
        if drawn.marked:
            _draw(figure, plotext, drawn.marked, drawn.line.marker, color, False)
    best = on_scale(drawable([plot.best] if plot.best else [], plot.log), plot.log)
    if best and _inside(best[0][0], span) and _inside(best[0][1], heights):
        _draw(figure, plotext, best, "◆", plot.best_color, False)
    return str(figure.build().string())


def faint(color: Color) -> Color:
    """The colour of what lies beneath."""
    red, green, blue = (round(_FAINT * part + (1 - _FAINT) * 90) for part in color)
    return red, green, blue


def _draw(
    figure: Any, plotext: Any, points: Sequence[Pair], marker: str, color: Color, connected: bool
) -> None:
    signal = figure.signal(
        [x for x, _ in points],
        [y for _, y in points],
        marker=plotext.marker(marker, plotext.pixel(foreground=color)),
    )
    figure.draw(signal.lines() if connected else signal)


def _set_rulers(figure: Any, plot: Plot, lines: Sequence[_Drawn], span: Pair, height: int) -> Pair:
    """Limits and a few round ticks; plotext's own ticks have too many digits. Returns those of y.

    What lies beneath counts too, so that nothing that was measured falls off the chart.
    """
    points = [p for line in lines for part in (*line.segments, *line.faint) for p in part]
    points += [point for line in lines for point in line.marked]
    if plot.band is not None and not plot.log:
        ends = (*plot.band.low, *plot.band.high)
        points += [point for point in ends if _has_place(point, False) and _inside(point[0], span)]
    x_low, x_high = span
    y_low, y_high = limits([y for _, y in points])
    figure.ruler(0, 0).lim(x_low, x_high)
    figure.ruler(1, 0).lim(y_low, y_high)
    figure.ruler(0, 0).ticks(*_across(plot)(x_low, x_high, 7))
    upward = _log_ticks if plot.log else ticks
    figure.ruler(1, 0).ticks(*upward(y_low, y_high, max(2, height // 2)))
    return y_low, y_high


def _across(plot: Plot) -> Callable[[float, float, int], Ticks]:
    """Return the function that places the ticks below a chart."""
    if plot.time:
        return time_ticks
    if plot.labels:
        return partial(label_ticks, plot.labels)
    if plot.log_x:
        return _log_ticks
    return partial(ticks, whole=plot.whole)


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


def ticks(low: float, high: float, count: int, whole: bool = False) -> Ticks:
    """About ``count`` round numbers between the limits, with their texts.

    If ``whole``, they have no fractions where a whole number and the next fit in.
    """
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    step = max(1.0, step) if whole and high - low >= 1 else step
    first = math.ceil(low / step - 1e-9)
    values = [i * step for i in range(first, first + count + 2) if i * step <= high + step * 1e-9]
    # As many digits as tell one from the next: 1000000.2 and 1000000.4, not 1e+06 twice.
    digits = math.floor(math.log10(max(abs(low), abs(high), step)) + 1e-9) + 1
    shown = digits if digits <= _WHOLE_DIGITS else 3  # 1200, not 1.2e+03
    digits = max(3, shown, min(12, digits - math.floor(math.log10(step) + 1e-9)))
    return values, [f"{round(value / step) * step:.{digits}g}" for value in values]


def time_ticks(low: float, high: float, count: int) -> Ticks:
    """Return ticks like :func:`ticks`, for seconds: whole minutes, hours and days."""
    rough = (high - low) / count
    if rough < _TIMES[0]:
        values, texts = ticks(low, high, count)
        return values, [f"{text} s" for text in texts]
    days = math.ceil(rough / _TIMES[-1]) * _TIMES[-1]
    step = next((seconds for seconds in _TIMES if seconds >= rough), days)
    first = math.ceil(low / step - 1e-9)
    values = [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
    return [float(value) for value in values], [duration(value) for value in values]


def label_ticks(labels: Mapping[float, str], low: float, high: float, count: int) -> Ticks:
    """Return labels between the limits, evenly spaced: ``count``, or half of long ones as dates."""
    seen = [x for x in labels if low <= x <= high]
    short = all(len(labels[x]) <= _SHORT for x in seen)
    every = max(1, -(-len(seen) // max(1, count if short else count // 2)))
    chosen = seen[every // 2 :: every]
    return chosen, [labels[x] for x in chosen]


def _log_ticks(low: float, high: float, count: int) -> Ticks:
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
