"""Charts stand any numbers and lose no peak."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from tui.plot import MINIMUM, Line, Plot, draw, drawable, smooth, thin
from tui.widgets.chart import Chart, Curve

_NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
_POINTS = st.lists(st.tuples(st.integers(0, 10**6), _NUMBERS), max_size=30).map(sorted)


def plot(points: list[tuple[float, float]], **options: object) -> Plot:
    return Plot([Line("a", points, (1, 2, 3), "●")], **options)  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(_POINTS, st.booleans(), st.sampled_from([0.0, 0.9]), st.integers(1, 90), st.integers(1, 30))
def test_any_numbers_make_a_chart_that_fits(
    points: list[tuple[float, float]], log: bool, smoothing: float, width: int, height: int
) -> None:
    best = points[0] if points else None
    lines = draw(plot(points, log=log, smoothing=smoothing, best=best), width, height)
    assert len(lines) <= max(1, height)
    if width >= MINIMUM[0]:
        assert all(line.cell_length <= width for line in lines)


def test_no_values_are_said_in_words() -> None:
    nothing = [(1.0, math.nan), (2.0, math.inf)]
    assert "no values yet" in "\n".join(line.plain for line in draw(plot(nothing), 60, 9))


def test_a_log_scale_without_positive_numbers_says_so() -> None:
    lines = draw(plot([(1.0, -1.0)], log=True), 60, 9)
    assert "no positive numbers" in "\n".join(line.plain for line in lines)


def test_thinning_keeps_the_lowest_and_the_highest_point() -> None:
    points = [(float(i), math.sin(i)) for i in range(10_000)]
    points[4321] = (4321.0, 99.0)
    points[1234] = (1234.0, -99.0)
    kept = thin(points, 80)
    assert len(kept) <= 2 * 81
    assert {(4321.0, 99.0), (1234.0, -99.0)} <= set(kept)
    assert kept == sorted(kept)


def test_smoothing_begins_at_the_first_value() -> None:
    assert smooth([(0.0, 5.0), (1.0, 5.0)], 0.9) == [(0.0, 5.0), (1.0, 5.0)]


def test_only_positive_finite_points_are_on_a_log_scale() -> None:
    points = [(0.0, 1.0), (1.0, 0.0), (2.0, -1.0), (3.0, math.inf)]
    assert drawable(points, log=True) == [(0.0, 1.0)]


def test_a_chart_is_wider_than_the_terminal_of_the_process() -> None:
    lines = draw(plot([(0.0, 1.0), (1.0, 2.0)]), 280, 70)
    assert len(lines) == 70
    assert lines[0].cell_length == 280


class Charts(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart()


async def test_curves_are_told_apart_by_marker_and_the_best_is_marked() -> None:
    app = Charts()
    async with app.run_test(size=(80, 20)) as pilot:
        chart = app.query_one(Chart)
        curves = [
            Curve("train", "train", [(0.0, 3.0), (4.0, 2.0)]),
            Curve("validation", "validation", [(1.0, 1.0), (2.0, 0.5), (3.0, 0.75)]),
        ]
        chart.plot("loss", curves, best=(2.0, 0.5))
        await pilot.pause()
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
    legend, *picture = shown.splitlines()
    assert "train" in legend
    assert "━●━ validation" in legend
    assert sum(line.count("●") for line in picture) == 2
    assert sum(line.count("◆") for line in picture) == 1
