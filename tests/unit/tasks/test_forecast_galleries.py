"""Forecasts of single series to look through: which windows, their errors, and their curves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

from engine.reports.gallery import Gallery
from engine.reports.views import Lines

Make = Callable[..., Any]
KIND = "forecasting"
CPU = torch.device("cpu")
SHORT = {"window": 4, "horizon": 2, "season": 1}


class Constant(nn.Module):
    """Forecasts the same number of standard deviations from the mean for each step and target."""

    def __init__(self, value: float, horizon: int = 2, targets: int = 1) -> None:
        super().__init__()
        self.value, self.sides = value, (horizon, targets)

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        return torch.full((len(past), *self.sides), self.value)


def days(count: int) -> list[str]:
    return [f"2024-{1 + day // 28:02}-{1 + day % 28:02}" for day in range(count)]


def gallery_of(prepared: Any, network: nn.Module, rows: Any = None) -> Gallery | None:
    table = prepared.raw.train if rows is None else rows
    source = prepared.task.encode(table, prepared.fitted, CPU, lambda event: None)
    found: Gallery | None = prepared.task.gallery(network, source, prepared.fitted)
    return found


def evaluated(prepared: Any, rows: Any) -> Any:
    """The evaluation of a constant forecast on a table, with its views."""
    source = prepared.task.encode(rows, prepared.fitted, CPU, lambda event: None)
    evaluator = prepared.task.evaluator(prepared.fitted)
    for batch in source.read(source.plan(64)):
        evaluator.update(Constant(0.0), batch)
    return evaluator.compute(views=True)


def errors(truth: Any, forecast: Any, naive: float) -> list[float]:
    """MASE, MAE, RMSE and SMAPE (0 to 200) of the textbook, to five digits."""
    truth, forecast = np.asarray(truth, float), np.asarray(forecast, float)
    off = np.abs(truth - forecast)
    smape = np.mean(200 * off / (np.abs(truth) + np.abs(forecast)))
    values = off.mean() / naive, off.mean(), np.sqrt((off**2).mean()), smape
    return [float(f"{value:.5g}") for value in values]


@pytest.fixture
def climb(prepare: Make) -> Any:
    """Ten numbered rows of one series without times: 0, 2, 4 … 18."""
    return prepare(KIND, {"load": [2.0 * row for row in range(10)]}, **SHORT)


def test_errors_are_those_of_the_textbook(climb: Any) -> None:
    """The mean, 9, is forecast; from one row to the next the load changes by 2."""
    gallery = gallery_of(climb, Constant(0.0))
    assert gallery is not None
    assert gallery.columns == ["after", "mase", "mae", "rmse", "smape"]
    by_row = {row[0]: row[1:] for row in gallery.rows}
    assert by_row["row 8"] == errors([16, 18], [9, 9], 2)
    assert by_row["row 6"] == errors([12, 14], [9, 9], 2)
    assert by_row["row 4"] == errors([8, 10], [9, 9], 2)


def test_windows_are_a_horizon_apart_from_the_last_one_back(climb: Any) -> None:
    gallery = gallery_of(climb, Constant(0.0))
    assert gallery is not None
    assert sorted(str(row[0]) for row in gallery.rows) == ["row 4", "row 6", "row 8"]
    assert gallery.total == 3
    assert gallery.title == "Forecasts"


def test_the_worst_forecast_comes_first(climb: Any) -> None:
    gallery = gallery_of(climb, Constant(0.0))
    assert gallery is not None
    assert [row[0] for row in gallery.rows] == ["row 8", "row 6", "row 4"]


def test_a_forecast_in_standard_deviations_is_shown_in_units(climb: Any) -> None:
    """0, 2 … 18 have the mean 9 and the standard deviation √33."""
    gallery = gallery_of(climb, Constant(2.0))
    assert gallery is not None
    place = [row[0] for row in gallery.rows].index("row 8")
    view = gallery.views[place]
    assert isinstance(view, Lines)
    forecast = 9 + 2 * math.sqrt(33)
    assert view.x == [-3, -2, -1, 0, 1, 2]
    assert view.series["truth"] == pytest.approx([8, 10, 12, 14, 16, 18], rel=1e-5)
    assert view.series["forecast"][:4] == [None] * 4
    assert view.series["forecast"][4:] == pytest.approx([forecast, forecast], rel=1e-5)
    assert view.title == "load"
    assert view.labels == ()


def test_no_more_of_the_past_is_shown_than_twice_the_horizon(prepare: Make) -> None:
    rows = {"load": [float(row) for row in range(20)]}
    prepared = prepare(KIND, rows, window=10, horizon=2, season=1)
    gallery = gallery_of(prepared, Constant(0.0))
    assert gallery is not None
    assert isinstance(gallery.views[0], Lines)
    assert gallery.views[0].x == [-3, -2, -1, 0, 1, 2]


def test_dates_name_the_steps_of_a_curve(prepare: Make) -> None:
    rows = {"day": days(12), "load": [float(row % 5) for row in range(12)]}
    gallery = gallery_of(prepare(KIND, rows, **SHORT), Constant(0.0))
    assert gallery is not None
    latest = [row[0] for row in gallery.rows].index("2024-01-10")
    view = gallery.views[latest]
    assert isinstance(view, Lines)
    assert view.labels == [f"2024-01-{day:02}" for day in range(7, 13)]


def test_a_perfect_forecast_has_no_error(prepare: Make) -> None:
    """0 against 0 is no error of SMAPE either."""
    rows = {"load": [1.0, -1.0] * 3 + [0.0] * 6}
    prepared = prepare(KIND, rows, **SHORT)
    gallery = gallery_of(prepared, Constant(0.0))
    assert gallery is not None
    assert gallery.rows[-1][1:] == [0, 0, 0, 0]


def test_without_a_window_there_is_no_gallery(climb: Any) -> None:
    assert gallery_of(climb, Constant(0.0), climb.raw.train.slice(0, 5)) is None


class TestSeveralTargets:
    """A wide table, with a column a target."""

    @pytest.fixture
    def wide(self, prepare: Make) -> Any:
        rows = {"a": [2.0 * row for row in range(8)], "b": [100.0 - row for row in range(8)]}
        return prepare(KIND, rows, targets=["a", "b"], **SHORT)

    def test_each_target_is_a_case_of_its_own(self, wide: Any) -> None:
        gallery = gallery_of(wide, Constant(0.0, targets=2))
        assert gallery is not None
        assert gallery.columns == ["target", "after", "mase", "mae", "rmse", "smape"]
        assert gallery.total == len(gallery.rows) == 4
        found = {(row[0], row[1]): row[2:] for row in gallery.rows}
        assert found["a", "row 6"] == errors([12, 14], [7, 7], 2)
        assert found["b", "row 6"] == errors([94, 93], [96.5, 96.5], 1)
        assert {view.title for view in gallery.views} == {"a", "b"}


class TestManySeries:
    """Series of one file, each in its own scale."""

    @pytest.fixture
    def shops(self, prepare: Make) -> Any:
        small = [1.0, 3.0] * 5
        rows = {
            "shop": ["a"] * 10 + ["b"] * 10 + ["c"] * 10,
            "day": days(10) * 3,
            "sales": [*small, *(1000 * value for value in small), *[5.0] * 10],
        }
        return prepare(KIND, rows, series=["shop"], **SHORT)

    def test_each_series_has_the_errors_of_its_scale(self, shops: Any) -> None:
        """The means are 2 and 2000; from one day to the next sales change by 2 and by 2000."""
        gallery = gallery_of(shops, Constant(0.0))
        assert gallery is not None
        assert gallery.columns == ["shop", "after", "mase", "mae", "rmse", "smape"]
        found = {(row[0], row[1]): row[2:] for row in gallery.rows}
        assert found["a", "2024-01-08"] == errors([1, 3], [2, 2], 2)
        assert found["b", "2024-01-08"] == errors([1000, 3000], [2000, 2000], 2000)

    def test_a_series_that_never_changes_has_no_mase_and_comes_last(self, shops: Any) -> None:
        gallery = gallery_of(shops, Constant(0.0))
        assert gallery is not None
        constant = [row for row in gallery.rows if row[0] == "c"]
        assert {row[2] for row in constant} == {None}
        assert gallery.rows[-len(constant) :] == constant

    def test_truths_that_were_filled_in_are_no_errors(self, prepare: Make) -> None:
        """One day is missing: nothing is known of it, so only the other step counts."""
        rows = {"day": [*days(9), days(12)[10], days(12)[11]], "load": [1.0, 3.0] * 4 + [9.0, 3, 1]}
        prepared = prepare(KIND, rows, **SHORT)
        gallery = gallery_of(prepared, Constant(0.0))
        assert gallery is not None
        for row, view in zip(gallery.rows, gallery.views, strict=True):
            assert isinstance(view, Lines)
            truth = [value for value in view.series["truth"][-2:] if value is not None]
            forecast = [value for value in view.series["forecast"] if value is not None]
            off = [abs(a - forecast[0]) for a in truth]
            assert row[2] == pytest.approx(np.mean(off), rel=1e-3)
        missing = [view for view in gallery.views
                   if isinstance(view, Lines) and None in view.series["truth"][-2:]]  # fmt: skip
        assert len(missing) == 1


def test_bands_are_the_outermost_quantiles(prepare: Make) -> None:
    """A network that forecasts quantiles 0.1, 0.5 and 0.9 as −1, 0 and 1 standard deviations."""

    class Quantiles(nn.Module):
        def forward(self, past: Tensor, future: Tensor) -> Tensor:
            return torch.tensor([-1.0, 0.0, 1.0]).expand(len(past), 2, 1, 3)

    rows = {"load": [2.0 * row for row in range(10)]}
    options = {"loss": "quantile", "quantiles": [0.1, 0.5, 0.9]}
    gallery = gallery_of(prepare(KIND, rows, **SHORT, **options), Quantiles())
    assert gallery is not None
    view = gallery.views[0]
    assert isinstance(view, Lines)
    assert list(view.series) == ["truth", "forecast", "0.1", "0.9"]
    side = math.sqrt(33)
    assert view.series["forecast"][-2:] == pytest.approx([9, 9], rel=1e-5)
    assert view.series["0.1"][-2:] == pytest.approx([9 - side] * 2, rel=1e-5)
    assert view.series["0.9"][-2:] == pytest.approx([9 + side] * 2, rel=1e-5)


class TestAhead:
    """Charts of a prediction: the past of a file, and the forecast behind it."""

    def ahead(self, prepared: Any, network: nn.Module, rows: dict[str, list[Any]]) -> Gallery:
        source = prepared.task.encode_new(pa.table(rows), prepared.fitted, CPU, lambda event: None)
        gallery = prepared.task.presentation(network, prepared.fitted).gallery(source)
        assert gallery is not None
        return gallery

    def test_the_whole_window_stands_before_the_forecast(self, prepare: Make) -> None:
        """The mean of 0, 2 … 18 is 9; the window has 4 rows, the file 7."""
        rows = {"day": days(10), "load": [2.0 * row for row in range(10)]}
        given = {"day": days(7), "load": [1.0, 2.0, 3.0, 50.0, 60.0, 70.0, 80.0]}
        gallery = self.ahead(prepare(KIND, rows, **SHORT), Constant(0.0), given)
        assert gallery.columns == ["after", "mean before", "mean ahead"]
        assert gallery.rows == [["2024-01-07", 75.0, 9.0]]
        assert (gallery.total, gallery.ranked) == (1, False)
        [view] = gallery.views
        assert isinstance(view, Lines)
        assert view.x == [-3, -2, -1, 0, 1, 2]
        assert view.labels == [f"2024-01-{day:02}" for day in range(4, 10)]
        assert view.series == {
            "past": [50, 60, 70, 80, None, None],
            "forecast": [None] * 4 + [9, 9],
        }

    def test_each_series_and_target_has_a_chart_in_the_order_of_the_file(
        self, prepare: Make
    ) -> None:
        climbs = [float(row) for row in range(10)]
        rows = {"shop": ["a"] * 10 + ["b"] * 10, "day": days(10) * 2}
        rows |= {"x": climbs * 2, "y": [*climbs, *(100 + value for value in climbs)]}
        made = prepare(KIND, rows, series=["shop"], targets=["x", "y"], **SHORT)
        gallery = self.ahead(made, Constant(0.0, targets=2), rows)
        assert [row[:3] for row in gallery.rows] == [
            ["a", "x", "2024-01-10"], ["a", "y", "2024-01-10"],
            ["b", "x", "2024-01-10"], ["b", "y", "2024-01-10"],
        ]  # fmt: skip
        assert [row[3:] for row in gallery.rows] == [[8.5, 4.5], [8.5, 4.5], [8.5, 4.5],
                                                     [108.5, 104.5]]  # fmt: skip

    def test_values_that_a_short_series_repeats_are_not_drawn(self, prepare: Make) -> None:
        rows = {"shop": ["a"] * 10 + ["b"] * 10, "day": days(10) * 2, "x": [1.0, 2.0] * 10}
        made = prepare(KIND, rows, series=["shop"], **SHORT)
        given = {"shop": ["new"] * 2, "day": days(2), "x": [7.0, 9.0]}
        [view] = self.ahead(made, Constant(0.0), given).views
        assert isinstance(view, Lines)
        assert view.series["past"] == [None, None, 7, 9, None, None]

    def test_of_very_many_series_the_first_are_drawn(self, prepare: Make) -> None:
        shops = [f"s{number}" for number in range(501)]
        rows = {
            "shop": [shop for shop in shops for _ in range(6)],
            "day": days(6) * 501,
            "x": [0.0, 1.0] * 3 * 501,
        }
        made = prepare(KIND, rows, series=["shop"], **SHORT)
        gallery = self.ahead(made, Constant(0.0), rows)
        assert (len(gallery.rows), gallery.total) == (500, 501)
        assert len({row[0] for row in gallery.rows}) == 500

    def test_the_mean_before_leaves_out_what_was_filled_in(self, prepare: Make) -> None:
        rows = {"day": days(10), "load": [2.0 * row for row in range(10)]}
        given = {"day": days(6), "load": [1.0, 2.0, 3.0, 50.0, None, 70.0]}
        gallery = self.ahead(prepare(KIND, rows, **SHORT), Constant(0.0), given)
        assert gallery.rows == [["2024-01-06", 70.0, 9.0]]


class TestValuesThatWereFilledIn:
    """They are points of their own in a chart, counted in their name, for one and many series."""

    LOADS = (0.0, 2.0, None, 6.0, 8.0, 10.0, None, 14.0, 16.0, 18.0)

    def one(self, prepare: Make) -> Any:
        return prepare(KIND, {"day": days(10), "load": [*self.LOADS]}, **SHORT)

    def two(self, prepare: Make) -> Any:
        rows = {"shop": ["a"] * 10 + ["b"] * 10, "day": days(10) * 2}
        loads = [*self.LOADS, *(1.0 * row for row in range(10))]
        return prepare(KIND, rows | {"load": loads}, series=["shop"], **SHORT)

    @pytest.mark.parametrize("made", ["one", "two"])
    def test_they_are_apart_from_the_truth(self, prepare: Make, made: str) -> None:
        gallery = gallery_of(getattr(self, made)(prepare), Constant(0.0))
        assert gallery is not None
        names = [name for name in gallery.columns if name == "shop"]
        place = next(i for i, row in enumerate(gallery.rows)
                     if row[: len(names) + 1] == [*["a"] * len(names), "2024-01-08"])  # fmt: skip
        view = gallery.views[place]
        assert isinstance(view, Lines)
        assert view.series["truth"] == [8, 10, None, 14, 16, 18]
        assert view.series["filled in (1)"] == [None, None, 12, None, None, None]
        assert view.points == ["filled in (1)"]

    @pytest.mark.parametrize("made", ["one", "two"])
    def test_they_are_apart_before_what_is_not_known_yet(self, prepare: Make, made: str) -> None:
        prepared = getattr(self, made)(prepare)
        given = {"shop": ["a"] * 5, "day": days(5), "load": [9.0, None, None, 12.0, 13.0]}
        gallery = TestAhead().ahead(prepared, Constant(0.0), given)
        view = gallery.views[0]
        assert isinstance(view, Lines)
        assert view.series["past"] == [None, None, 12, 13, None, None]
        assert view.series["filled in (2)"] == [10, 11, None, None, None, None]

    @pytest.mark.parametrize("made", ["one", "two"])
    def test_they_are_apart_in_the_pictures_of_an_evaluation(
        self, prepare: Make, made: str
    ) -> None:
        prepared = getattr(self, made)(prepare)
        views = evaluated(prepared, prepared.raw.train).views
        drawn = [view for view in views if isinstance(view, Lines) and "truth" in view.series]
        assert drawn
        for view in drawn:
            gaps = [y is None for y in view.series["truth"][: -SHORT["horizon"]]]
            filled = [y for name in view.points for y in view.series[name] if y is not None]
            assert (sum(gaps), view.points) == (len(filled), [f"filled in ({len(filled)})"])

    def test_a_chart_without_any_has_no_name_for_them(self, climb: Any) -> None:
        gallery = gallery_of(climb, Constant(0.0))
        assert gallery is not None
        assert {tuple(view.series) for view in gallery.views if isinstance(view, Lines)} == {
            ("truth", "forecast")
        }


def test_pictures_of_an_evaluation_leave_out_what_a_short_series_repeats(prepare: Make) -> None:
    rows = {"shop": ["a"] * 10 + ["b"] * 4, "day": [*days(10), *days(4)]}
    rows["x"] = [*[0.0, 1.0] * 5, 0.0, 1.0, 2.0, 20.0]
    made = prepare(KIND, rows, series=["shop"], **SHORT)
    drawn = [
        view
        for view in evaluated(made, made.raw.train).views
        if isinstance(view, Lines) and view.title.endswith("shop = b")
    ]
    assert drawn
    for view in drawn:
        first, second, *truth = view.series["truth"]
        assert (first, second) == (None, None)
        assert truth == pytest.approx([0, 1, 2, 20], abs=1e-4)


def test_a_gallery_is_read_back_from_its_record(climb: Any) -> None:
    gallery = gallery_of(climb, Constant(0.0))
    assert gallery is not None
    again = Gallery.from_record(json.loads(json.dumps(gallery.record())))
    assert again.record() == gallery.record()
    assert again.listed().rows == gallery.rows
    cases = [again.case(place) for place in again.listed().places]
    assert [case.view for case in cases if case is not None] == again.views
    assert again.case(3) is None


def test_a_record_with_views_of_an_unknown_form_is_refused(climb: Any) -> None:
    gallery = gallery_of(climb, Constant(0.0))
    assert gallery is not None
    record = gallery.record()
    record["views"][0]["form"] = "hologram"
    with pytest.raises(ValueError, match="a view a row"):
        Gallery.from_record(record)
