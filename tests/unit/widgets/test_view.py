"""Curves of a result, as a chart draws them."""

from __future__ import annotations

from engine.reports.views import Lines, read_view
from tui.widgets.view import curves


def test_points_of_a_view_have_no_line_between_them() -> None:
    series = {"truth": [1.0, None, 3.0], "filled in (1)": [None, 2.0, None]}
    written = Lines("sales", [0.0, 1.0, 2.0], series, points=["filled in (1)"]).record()
    view = read_view(written)
    assert isinstance(view, Lines)
    truth, filled = curves(view)
    assert (truth.joined, filled.joined) == (True, False)
    assert (list(truth.points), list(filled.points)) == ([(0, 1), (2, 3)], [(1, 2)])


def test_views_of_earlier_versions_have_lines_alone() -> None:
    view = read_view({"form": "lines", "title": "", "x": [0.0], "series": {"loss": [1.0]}})
    assert isinstance(view, Lines)
    assert [curve.joined for curve in curves(view)] == [True]
