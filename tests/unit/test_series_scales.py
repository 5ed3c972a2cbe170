"""Level and spread of each series, against those of pandas group by group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engine.data.series.frequency import DAY, Frequency
from engine.data.series.panel import Panel
from engine.data.series.scales import SeriesScales, fit_scales, scales_for


def panel_of(*series: list[float], filled: list[bool] | None = None) -> Panel:
    """One channel; series are called A, B, …"""
    values = np.array([value for some in series for value in some])[:, None]
    return Panel(
        pa.table({"shop": [chr(65 + i) for i in range(len(series))]}),
        np.concatenate([[0], np.cumsum(list(map(len, series)))]).astype(np.int64),
        np.arange(len(values)) * DAY,
        values,
        Frequency("time", DAY),
        filled=None if filled is None else np.array(filled)[:, None],
    )


def fitted(*series: list[float], season: int = 1, filled: list[bool] | None = None) -> SeriesScales:
    keys = [[chr(65 + i) for i in range(len(series))]]
    return fit_scales(panel_of(*series, filled=filled), keys, 1, season)


def test_mean_and_deviation_are_those_of_each_series() -> None:
    random = np.random.default_rng(0)
    series = [random.normal(10.0**i, 1 + i, 5 + i).tolist() for i in range(4)]
    scales = fitted(*series)
    assert scales.mean[0] == pytest.approx([np.mean(values) for values in series])
    assert scales.std[0] == pytest.approx([np.std(values) for values in series])


@pytest.mark.parametrize("season", [1, 2, 3, 7])
def test_naive_errors_are_mean_changes_over_one_season_within_each_series(season: int) -> None:
    random = np.random.default_rng(1)
    series = [random.normal(size=count).tolist() for count in (9, 3, 12)]
    scales = fitted(*series, season=season)
    for number, values in enumerate(series):
        changes = pd.Series(values).diff(season).dropna()
        absolute = changes.abs().mean() if len(changes) else 0.0
        squared = changes.pow(2).mean() if len(changes) else 0.0
        assert scales.naive_error[0][number] == pytest.approx(absolute)
        assert scales.naive_squared[0][number] == pytest.approx(squared)


def test_changes_to_and_from_values_that_were_filled_in_do_not_count() -> None:
    # Known changes: 0 → 2 and 10 → 13; the filled 5 is between them.
    filled = [False, False, True, False, False]
    scales = fitted([0.0, 2.0, 5.0, 10.0, 13.0], filled=filled)
    assert scales.naive_error == [[2.5]]
    assert scales.naive_squared == [[6.5]]


def test_a_constant_series_has_the_usual_spread_for_its_size() -> None:
    # Two series whose spread is a third of their size, one that does not change, one of zeros.
    scales = fitted([2.0, 4.0], [20.0, 40.0], [600.0, 600.0], [0.0, 0.0])
    assert scales.std[0][:2] == [1.0, 10.0]
    share = 1 / np.hypot(3, 1)  # of the spread in mean and spread together
    assert scales.std[0][2] == pytest.approx(600 * share)
    assert scales.std[0][3] == pytest.approx((1.0 + 10.0) / 2)


def test_where_no_series_changes_the_spread_is_one() -> None:
    assert fitted([0.0, 0.0], [0.0]).std == [[1.0, 1.0]]


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e12])
def test_rounding_is_no_spread(size: float) -> None:
    scales = fitted([size, size * (1 + 1e-15), size], [size, 2 * size])
    assert scales.std[0][0] == pytest.approx(size * 0.5 / np.hypot(1.5, 0.5), rel=1e-6)


def test_scales_grow_with_the_series() -> None:
    one = fitted([1.0, 2.0, 4.0], [5.0, 5.0, 5.0])
    large = fitted([1000.0, 2000.0, 4000.0], [5000.0, 5000.0, 5000.0])
    for name in ("mean", "std", "naive_error"):
        assert getattr(large, name)[0] == pytest.approx(1000 * np.array(getattr(one, name)[0]))
    assert large.naive_squared[0] == pytest.approx(1e6 * np.array(one.naive_squared[0]))


def test_known_series_are_scaled_as_in_training_and_new_ones_by_their_own_first_rows() -> None:
    scales = fitted([0.0, 2.0], [10.0, 30.0])
    new = panel_of([7.0, 9.0, 1000.0], [5.0, 5.0], [3.0, 5.0, 8.0])
    found = scales_for(new, [["X", "A", "Y"]], scales, np.array([2, 2, 3]))
    assert found.places.tolist() == [-1, 0, -1]
    assert found.mean[:, 0].tolist() == pytest.approx([8.0, 1.0, 16 / 3])
    assert found.std[:, 0].tolist() == pytest.approx([1.0, 1.0, np.std([3, 5, 8])])


def test_a_new_series_that_stood_still_has_the_usual_spread_of_training() -> None:
    scales = fitted([2.0, 4.0], [20.0, 40.0])
    found = scales_for(panel_of([600.0, 600.0, 1.0]), [["X"]], scales, np.array([2]))
    assert found.mean[0, 0] == 600
    assert found.std[0, 0] == pytest.approx(600 / np.hypot(3, 1))


def test_fitted_scales_survive_their_way_through_json() -> None:
    scales = fitted([1.0, 2.0], [3.0, 3.0])
    assert SeriesScales.model_validate_json(scales.model_dump_json()) == scales
