"""Charts draw any numbers and keep every peak."""

from __future__ import annotations

import math
import threading

from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from engine.runs.events import Progress
from engine.runs.history import History
from tui.charts.chart import Chart, Curve
from tui.charts.plot import (
    MINIMUM,
    Line,
    Plot,
    draw,
    drawable,
    label_ticks,
    limits,
    segments_of,
    smooth,
    thin,
    ticks,
    time_ticks,
    within,
)
from tui.charts.points import PlacedPoints
from tui.charts.small_chart import SmallChart
from tui.widgets.run_panels import curves

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


def test_no_values_are_reported_in_words() -> None:
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


def test_a_curve_of_few_points_is_not_smoothed_away() -> None:
    points = [(float(i), float(i)) for i in range(15)]
    assert draw(plot(points, smoothing=0.9), 60, 12) == draw(plot(points), 60, 12)


def test_only_positive_finite_points_are_on_a_log_scale() -> None:
    points = [(0.0, 1.0), (1.0, 0.0), (2.0, -1.0), (3.0, math.inf)]
    assert drawable(points, log=True) == [(0.0, 1.0)]


def test_a_chart_is_wider_than_the_terminal_of_the_process() -> None:
    lines = draw(plot([(0.0, 1.0), (1.0, 2.0)]), 280, 70)
    assert len(lines) == 70
    assert lines[0].cell_length == 280


def test_points_that_come_change_nothing_of_what_was_chosen_before() -> None:
    points = [(float(i), math.sin(i)) for i in range(3000)]
    before = thin(points[:2900], 80, (0.0, 4000.0))
    after = thin(points, 80, (0.0, 4000.0))
    assert after[: len(before) - 2] == before[:-2]


def test_a_line_has_a_gap_where_a_value_has_no_place() -> None:
    points = [(0.0, 1.0), (1.0, math.nan), (2.0, 2.0), (3.0, 3.0)]
    assert segments_of(points, log=False) == [[(0.0, 1.0)], [(2.0, 2.0), (3.0, 3.0)]]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1e6), _NUMBERS), max_size=20).map(sorted),
    st.tuples(st.floats(0, 1e6), st.floats(1e-3, 1e6)),
    st.booleans(),
)
def test_any_part_of_the_axis_is_drawn(
    points: list[tuple[float, float]], part: tuple[float, float], time: bool
) -> None:
    span = (part[0], part[0] + part[1])
    lines = draw(plot(points, span=span, cursor=part[0], time=time), 60, 12)
    assert all(line.cell_length <= 60 for line in lines)


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks_can_be_distinguished(low: float, width: float) -> None:
    low, high = limits([low, low + width])
    if high - low > 1e-6 * max(abs(low), abs(high)):
        values, texts = ticks(low, high, 7)
        assert len(set(texts)) == len(values) >= 2


def test_whole_numbers_on_an_axis_are_written_in_digits() -> None:
    assert ticks(0.0, 1300.0, 7)[1] == ["0", "200", "400", "600", "800", "1000", "1200"]
    assert ticks(0.0, 450_000.0, 4)[1] == ["0", "200000", "400000"]
    assert ticks(-40_000.0, 40_000.0, 4)[1] == ["-40000", "-20000", "0", "20000", "40000"]
    assert ticks(0.0, 2e9, 2)[1] == ["0", "1e+09", "2e+09"]


def test_an_axis_of_time_has_whole_minutes_and_hours() -> None:
    assert time_ticks(0.0, 200.0, 7)[1] == ["0 s", "30 s", "1:00", "1:30", "2:00", "2:30", "3:00"]
    assert time_ticks(0.0, 8 * 3600.0, 7)[1][:3] == ["0 s", "2:00:00", "4:00:00"]


def test_a_line_is_led_to_the_ends_of_the_part_that_is_seen() -> None:
    points = [(0.0, 0.0), (4.0, 4.0), (8.0, 0.0)]
    assert within(points, (2.0, 6.0)) == [(2.0, 2.0), (4.0, 4.0), (6.0, 2.0)]
    assert within(points, (1.0, 2.0)) == [(1.0, 1.0), (2.0, 2.0)]
    assert within(points, (9.0, 10.0)) == []


class Charts(App[None]):
    def compose(self) -> ComposeResult:
        yield Chart()


async def test_curves_are_distinguished_by_marker_and_the_best_is_marked(until, text_of) -> None:
    app = Charts()
    async with app.run_test(size=(80, 20)) as pilot:
        chart = app.query_one(Chart)
        curves = [
            Curve("train", "train", [(0.0, 3.0), (4.0, 2.0)]),
            Curve("validation", "validation", [(1.0, 1.0), (2.0, 0.5), (3.0, 0.75)]),
        ]
        chart.plot("loss", curves, best=(2.0, 0.5))
        await until(pilot, lambda: "train" in text_of(pilot))
        shown = text_of(pilot)
    legend, *picture = shown.splitlines()
    assert "train" in legend
    assert "━●━ validation" in legend
    assert sum(line.count("●") for line in picture) == 2
    assert sum(line.count("◆") for line in picture) == 1


async def test_points_are_placed_by_the_thread_that_draws_them(until) -> None:
    placed: list[bool] = []

    def place(x: int) -> tuple[float, float]:
        placed.append(threading.current_thread() is threading.main_thread())
        return float(x), float(x % 7)

    class Charts(App[None]):
        def compose(self) -> ComposeResult:
            yield SmallChart()

    async with Charts().run_test(size=(80, 24)) as pilot:
        chart = pilot.app.query_one(SmallChart)
        chart.plot("loss", [Curve("train", "train", PlacedPoints(range(1000), place))])
        await until(pilot, lambda: "┌" in "".join(line.plain for line in chart._lines))
        assert "train 5" in chart._lines[0].plain, "the legend has the newest value"
    assert placed.count(False) == 1000
    assert placed.count(True) <= 2, "the event loop places the newest point alone"


def test_a_curve_that_is_being_drawn_does_not_change_while_the_run_continues() -> None:
    history = History()
    for step in (1, 2, 3):
        history.apply(
            Progress(step=step, steps=9, epoch=step / 3, epochs=3, loss=1 / step, learning_rate=0.1)
        )
        if step == 2:
            (curve,), _ = curves(history, "loss", "step")
    assert list(curve.points) == [(1, 1.0), (2, 0.5)]
    assert curve.points[-1] == (2, 0.5)


def test_counted_places_have_whole_ticks_where_there_are_several() -> None:
    assert ticks(1.0, 2.0, 7, whole=True)[1] == ["1", "2"]
    assert ticks(0.5, 1.5, 7, whole=True)[1] == ["1"]
    assert ticks(0.0, 4.0, 7, whole=True)[1] == ["0", "1", "2", "3", "4"]
    assert ticks(0.2, 0.9, 7, whole=True)[1][:2] == ["0.2", "0.3"]
    line = Line("a", [(1.0, 1.0), (2.0, 2.0)], (255, 255, 255))
    drawn = [row.plain.split() for row in draw(Plot([line], whole=True), 60, 12)]
    assert drawn[-1] == ["1", "2"]


def test_an_axis_of_logarithms_shows_the_numbers() -> None:
    line = Line("a", [(-3.0, 1.0), (-1.0, 2.0)], (255, 255, 255))
    drawn = [row.plain.split() for row in draw(Plot([line], log_x=True), 60, 12)]
    assert drawn[-1] == ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1"]


def test_short_labels_are_all_shown_and_long_ones_leave_room() -> None:
    short = {float(place): str(2**place) for place in range(6)}
    assert label_ticks(short, 0.0, 5.0, 7)[1] == ["1", "2", "4", "8", "16", "32"]
    dates = {float(place): f"2024-01-{place + 10}" for place in range(6)}
    assert len(label_ticks(dates, 0.0, 5.0, 7)[1]) <= 3
