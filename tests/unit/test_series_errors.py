"""Errors of each of many series in its own scale, against values computed series by series."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.metrics.forecasts.many_series import OwnScales, SeriesErrors, to_common

NAMES = ("shop = A", "shop = B", "shop = C")
STD = np.array([[2.0, 1.0], [10.0, 3.0], [0.5, 4.0]])
NAIVE = np.array([[1.0, 0.5], [4.0, 0.0], [0.25, 2.0]])
NAIVE_SQUARED = np.array([[2.0, 0.5], [20.0, 0.0], [0.1, 5.0]])
WINDOWS, HORIZON, TARGETS = 40, 3, 2


@pytest.fixture
def windows() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The series of each window (3 is a new one), standardised errors, and which truths count."""
    generator = torch.Generator().manual_seed(0)
    series = torch.arange(WINDOWS) % 4
    errors = torch.randn(WINDOWS, HORIZON, TARGETS, generator=generator, dtype=torch.float64)
    known = torch.rand(errors.shape, generator=generator) < 0.8
    return series, errors * known, known


def evaluated(
    series: torch.Tensor, errors: torch.Tensor, known: torch.Tensor, batch_size: int = WINDOWS
) -> SeriesErrors:
    found = SeriesErrors(OwnScales(NAMES, STD, NAIVE, NAIVE_SQUARED))
    for some in torch.arange(len(series)).split(batch_size):
        relative = 50 * errors[some].abs()
        found.update(series[some], errors[some], relative, known[some])
    return found


def test_mase_and_rmsse_are_means_over_the_series_whose_seasons_change(
    windows: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    series, errors, known = windows
    metrics = evaluated(*windows).by_target()
    for target in range(TARGETS):
        mase, rmsse = [], []
        for number in range(3):
            if NAIVE[number, target] == 0:
                continue
            own = errors[series == number][..., target][known[series == number][..., target]]
            units = own.numpy() * STD[number, target]
            mase.append(np.abs(units).mean() / NAIVE[number, target])
            rmsse.append(np.sqrt((units**2).mean() / NAIVE_SQUARED[number, target]))
        assert metrics["mase"][target] == pytest.approx(np.mean(mase))
        assert metrics["rmsse"][target] == pytest.approx(np.mean(rmsse))


def test_scaled_errors_are_means_over_all_truths_new_series_too(
    windows: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    _, errors, known = windows
    metrics = evaluated(*windows).by_target()
    for target in range(TARGETS):
        own = errors[..., target][known[..., target]]
        assert metrics["mse_scaled"][target] == pytest.approx(own.square().mean().item())
        assert metrics["mae_scaled"][target] == pytest.approx(own.abs().mean().item())


@pytest.mark.parametrize("batch_size", [1, 7, 39])
def test_metrics_do_not_depend_on_the_batches(
    windows: tuple[torch.Tensor, torch.Tensor, torch.Tensor], batch_size: int
) -> None:
    whole, parts = evaluated(*windows).by_target(), evaluated(*windows, batch_size).by_target()
    for name, values in whole.items():
        assert parts[name].tolist() == pytest.approx(values.tolist(), rel=1e-12)


def test_metrics_do_not_depend_on_the_order_of_the_windows(
    windows: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    order = torch.randperm(WINDOWS, generator=torch.Generator().manual_seed(5))
    shuffled = (windows[0][order], windows[1][order], windows[2][order])
    whole, other = evaluated(*windows).by_target(), evaluated(*shuffled).by_target()
    for name, values in whole.items():
        assert other[name].tolist() == pytest.approx(values.tolist())


def test_the_table_has_each_series_with_the_worst_mase_first() -> None:
    # Errors of one deviation: 2 / 1, 10 / 4 and 0.5 / 0.25 of the change over a season.
    series = torch.tensor([0, 1, 2])
    errors = torch.ones(3, 1, 1, dtype=torch.float64)
    own = OwnScales(NAMES, STD[:, :1], NAIVE[:, :1], NAIVE_SQUARED[:, :1])
    found = SeriesErrors(own)
    found.update(series, errors, 10 * errors, torch.ones_like(errors, dtype=torch.bool))
    table = found.table()
    assert table is not None
    assert table.title == "Errors by series, worst first"
    assert table.columns == ["series", "mae", "rmse", "mase", "rmsse", "smape"]
    assert table.rows == [
        ["shop = B", 10.0, 10.0, 2.5, pytest.approx(np.sqrt(100 / 20), rel=1e-4), 10.0],
        ["shop = A", 2.0, 2.0, 2.0, pytest.approx(np.sqrt(4 / 2), rel=1e-4), 10.0],
        ["shop = C", 0.5, 0.5, 2.0, pytest.approx(np.sqrt(0.25 / 0.1), rel=1e-4), 10.0],
    ]


def test_series_without_a_scale_are_last_and_those_without_a_window_are_left_out() -> None:
    series = torch.tensor([3, 0, 0])
    errors = torch.full((3, 1, 1), 2.0, dtype=torch.float64)
    found = SeriesErrors(OwnScales(NAMES, STD[:, :1], NAIVE[:, :1], NAIVE_SQUARED[:, :1]))
    found.update(series, errors, errors, torch.ones_like(errors, dtype=torch.bool))
    table = found.table()
    assert table is not None
    assert [row[0] for row in table.rows] == ["shop = A", "new series"]
    assert table.rows[1][3] is None  # no season was seen
    assert found.name(3) == "new series"
    assert found.name(1) == "shop = B"


def test_windows_without_a_truth_leave_no_metric_but_not_a_number() -> None:
    nothing = torch.zeros(2, 2, 2, dtype=torch.float64)
    found = evaluated(torch.tensor([0, 1]), nothing, torch.zeros_like(nothing, dtype=torch.bool))
    assert all(np.isnan(values).all() for values in found.by_target().values())
    table = found.table()
    assert table is not None
    assert table.rows == []


def test_nothing_evaluated_has_no_metrics_and_no_table() -> None:
    found = SeriesErrors(OwnScales(NAMES, STD, NAIVE, NAIVE_SQUARED))
    assert found.by_target() == {}
    assert found.table() is None


def test_of_many_series_the_table_has_the_worst_and_says_so() -> None:
    count = 230
    own = OwnScales([str(i) for i in range(count)], *(np.ones((count, 1)) for _ in range(3)))
    errors = torch.arange(count, dtype=torch.float64).reshape(-1, 1, 1)
    found = SeriesErrors(own)
    found.update(torch.arange(count), errors, errors, torch.ones_like(errors, dtype=torch.bool))
    table = found.table()
    assert table is not None
    assert table.title == "Errors by series, worst first (the worst 200 of 230)"
    assert [row[0] for row in table.rows] == [str(i) for i in range(229, 29, -1)]


def test_common_scales_give_the_values_of_all_rows_together() -> None:
    # Standardised by each series, then by all rows: the same numbers of the data.
    values = torch.tensor([[[1.0], [-2.0]], [[0.5], [0.0]]], dtype=torch.float64)
    shift = torch.tensor([[[100.0]], [[5.0]]], dtype=torch.float64)
    scale = torch.tensor([[[10.0]], [[2.0]]], dtype=torch.float64)
    mean, std = torch.tensor([50.0]).double(), torch.tensor([40.0]).double()
    common = to_common(values, {"shift": shift, "scale": scale}, mean, std)
    assert (common * std + mean).tolist() == (values * scale + shift).tolist()
