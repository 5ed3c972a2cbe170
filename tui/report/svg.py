"""Line charts as SVG: no script, no outside file, readable on light and on dark ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from engine.files.sanitize import plain
from tui.charts.plot import drawable, limits, thin, ticks
from tui.report.page import Point

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 40
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""A palette for colour-blind users too (Okabe and Ito)."""
_IN_A_ROW, _ROW = 4, 18
"""Names in a row of the legend, beside which the name of the axis has room, and its height."""
_DASHES = ("none", "7 3", "2 3", "9 3 2 3")


def chart(curves: Mapping[str, Sequence[Point]], axis: str, dots: Sequence[str] = ()) -> str:
    """The element ``<svg>``; empty where there is nothing finite to draw.

    Curves named in ``dots`` are points without a line between them.
    """
    kept = {
        name: thin(finite, WIDTH)
        for name, points in curves.items()
        if (finite := drawable(points, log=False))
    }
    if not kept:
        return ""
    return "\n".join(_elements(kept, axis, dots))


def _elements(
    curves: Mapping[str, Sequence[Point]], axis: str, dots: Sequence[str]
) -> Iterator[str]:
    everything = [point for points in curves.values() for point in points]
    x_limits = limits([x for x, _ in everything])
    y_limits = limits([y for _, y in everything])
    height = HEIGHT + _ROW * ((len(curves) - 1) // _IN_A_ROW)
    yield (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="currentColor">'
    )
    for value, text in zip(*ticks(*y_limits, 6), strict=True):
        y = _down(value, y_limits)
        yield f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" stroke="#8884"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    for value, text in zip(*ticks(*x_limits, 8), strict=True):
        x = _across(value, x_limits)
        yield f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">{text}</text>'
    for row, (name, points) in enumerate(curves.items()):
        places = [(_across(x, x_limits), _down(y, y_limits)) for x, y in points]
        yield from _curve(row, name, places, name in dots)
    right, name = WIDTH - _RIGHT, escape(plain(axis))
    yield f'<text x="{right}" y="{HEIGHT - 8}" text-anchor="end">{name}</text>'
    yield "</svg>"


def _curve(row: int, name: str, places: Sequence[Point], dots: bool) -> Iterator[str]:
    """A line, or dots where asked for or where there is one point, and its place in the legend."""
    color, dash = _COLORS[row % len(_COLORS)], _DASHES[row % len(_DASHES)]
    style = f'fill="none" stroke="{color}" stroke-width="1.8" stroke-dasharray="{dash}"'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    if not dots:
        yield f'<polyline points="{path}" {style}/>'
    for x, y in places if dots or len(places) == 1 else ():
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'
    line, place = divmod(row, _IN_A_ROW)
    left, low = _LEFT + 130 * place, HEIGHT - 8 + _ROW * line
    dot = f'<circle cx="{left + 12}" cy="{low - 4}" r="3" fill="{color}"/>'
    yield dot if dots else f'<path d="M{left} {low - 4}h24" {style}/>'
    yield f'<text x="{left + 30}" y="{low}">{escape(plain(name, 16))}</text>'


def _across(x: float, limits: Point) -> float:
    return _LEFT + (x - limits[0]) / (limits[1] - limits[0]) * (WIDTH - _LEFT - _RIGHT)


def _down(y: float, limits: Point) -> float:
    height = HEIGHT - _TOP - _BOTTOM
    return _TOP + (limits[1] - y) / (limits[1] - limits[0]) * height
