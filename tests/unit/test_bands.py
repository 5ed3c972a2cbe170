"""Quantiles, their metrics and their conformal correction agree with values computed by numpy."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from engine.batches.source import Batch
from engine.config.models.registry import MODELS, models_of
from engine.metrics.evaluator import Evaluation
from engine.metrics.forecasts.bands import Bands, calibrate
from engine.metrics.forecasts.calibrator import Calibrator
from engine.metrics.forecasts.errors import Scales
from engine.metrics.forecasts.evaluator import ForecastEvaluator, forecast_loss
from engine.models.build import build_model
from engine.models.series.quantiles import Quantiles
from engine.models.shapes import SeriesShape
from engine.reports.views import Lines, Table, Texts
from tui.charts.plot import Line, Plot, draw, label_ticks

LEVELS = (0.1, 0.5, 0.9)
SCALES = Scales(("a", "b"), (10.0, -3.0), (2.0, 5.0), (1.5, 0.5), (3.0, 0.7))
Floats = NDArray[np.float64]


def drawn(windows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return forecasts of a constant width, and truths that stray by more and more each step."""
    generator = torch.Generator().manual_seed(seed)
    spread = torch.tensor([0.5, 1.0, 2.0, 4.0])[None, :, None]
    truth = torch.randn(windows, 4, 2, generator=generator) * spread + 0.3
    levels = torch.tensor([-0.7, 0.0, 0.7])
    return levels.expand(windows, 4, 2, 3).contiguous(), truth


def evaluate(forecast: torch.Tensor, truth: torch.Tensor, bands: Bands) -> Evaluation:
    evaluator = ForecastEvaluator(lambda *_: forecast, SCALES, "quantile", str, bands)
    inputs = {"past": torch.zeros(len(truth), 6, 2), "time": torch.arange(len(truth))}
    evaluator.update(nn.Identity(), Batch(inputs, truth))
    return evaluator.compute(views=True)


def in_units(values: torch.Tensor, target: int) -> Floats:
    units: Floats = values.double().numpy() * SCALES.std[target] + SCALES.mean[target]
    return units


def test_metrics_of_quantiles_are_those_of_their_definitions() -> None:
    forecast, truth = drawn(50, 0)
    metrics = evaluate(forecast, truth, Bands(LEVELS)).metrics
    expected: dict[str, list[float]] = {name: [] for name in ("wql", "coverage", "smape", "rmsse")}
    for i in range(2):
        y, quantiles = in_units(truth[..., i], i), in_units(forecast[..., i, :], i)
        losses = [
            np.where(y >= f, q * (y - f), (1 - q) * (f - y)).sum()
            for q, f in zip(LEVELS, np.moveaxis(quantiles, 2, 0), strict=True)
        ]
        expected["wql"].append(2 * np.mean(losses) / np.abs(y).sum())
        expected["coverage"].append(
            float(np.mean((quantiles[..., 0] <= y) & (y <= quantiles[..., 2])))
        )
        point = quantiles[..., 1]
        expected["smape"].append(
            float(np.mean(200 * np.abs(y - point) / (np.abs(y) + np.abs(point))))
        )
        expected["rmsse"].append(
            float(np.sqrt(np.mean((y - point) ** 2) / SCALES.naive_squared[i]))
        )
    for name, values in expected.items():
        assert metrics[name] == pytest.approx(np.mean(values), rel=1e-5), name


def test_the_loss_of_quantiles_is_the_pinball_loss() -> None:
    quantiles = torch.tensor([[[[1.0, 2.0, 4.0]]]])
    truth = torch.tensor([[[3.0]]])
    # 0.1 · 2, 0.5 · 1 and 0.1 · 1.
    loss = forecast_loss(quantiles, truth, "quantile", LEVELS)
    assert loss.item() == pytest.approx((0.2 + 0.5 + 0.1) / 3)


def test_the_results_say_how_often_a_band_held() -> None:
    forecast, truth = drawn(200, 1)
    views = {view.title: view for view in evaluate(forecast, truth, Bands(LEVELS)).views}
    inside = (truth.abs() <= 0.7).double().numpy()
    said, table, lines = (
        views[name] for name in ("Bands", "Coverage of the bands", "Share inside the bands by step")
    )
    assert isinstance(said, Texts)
    assert said.items == [{"80 % band": f"The 80 % band held {inside.mean():.1%} of the values."}]
    assert isinstance(table, Table)
    assert table.rows[0][1] == pytest.approx(inside.mean())
    # Widths of 1.4 deviations of 2 and 5.
    assert table.rows[0][2] == pytest.approx(1.4 * 3.5)
    assert isinstance(lines, Lines)
    assert lines.series["80 % band"] == pytest.approx(list(inside.mean((0, 2))))
    picture = views["Forecast of a after 0"]
    assert isinstance(picture, Lines)
    assert picture.series["0.1"][-1] == pytest.approx(10 - 0.7 * 2)
    assert picture.series["0.9"][-1] == pytest.approx(10 + 0.7 * 2)


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("windows", [60, 2000])
def test_corrected_bands_hold_what_they_say(single: bool, windows: int) -> None:
    forecast, truth = drawn(windows, 2)
    later, later_truth = drawn(4000, 3)
    if single:
        forecast, later = forecast[..., 1], later[..., 1]
    factors = calibrate(LEVELS, forecast, truth, torch.ones_like(truth, dtype=torch.bool))
    quantiles = Bands(LEVELS, factors).quantiles(later)
    assert quantiles is not None
    below = [(later_truth < quantiles[..., place]).double().mean().item() for place in (0, 2)]
    assert below == pytest.approx([0.1, 0.9], abs=0.03)
    if windows > 200:
        # Each step by itself, though the truth strays eight times as far at the last one.
        inside = (later_truth >= quantiles[..., 0]) & (later_truth <= quantiles[..., 2])
        assert inside.double().mean((0, 2)).tolist() == pytest.approx([0.8] * 4, abs=0.04)


def test_a_tail_is_the_order_statistic_among_one_more() -> None:
    errors = torch.arange(1.0, 300.0).reshape(299, 1, 1)
    forecast = torch.zeros_like(errors)
    factors = calibrate(LEVELS, forecast, errors, torch.ones_like(errors, dtype=torch.bool))
    assert factors is not None
    # Of 299 and one to come, the 270th has nine tenths of the 300 at or below it.
    assert factors[0, 0].tolist() == [0.0, 0.0, 270.0]


def test_values_that_were_filled_in_do_not_widen_a_band() -> None:
    forecast, truth = drawn(500, 4)
    known = torch.rand(truth.shape, generator=torch.Generator().manual_seed(5)) < 0.6
    wrong = torch.where(known, truth, 1e6)
    factors = calibrate(LEVELS, forecast[..., 1], wrong, known)
    assert factors is not None
    for step in range(4):
        y = np.sort(truth[:, step, 0][known[:, step, 0]].double().numpy())
        rank = int(np.ceil((len(y) + 1) * 0.9))
        assert factors[step, 0, 2].item() == pytest.approx(y[rank - 1])
    assert calibrate(LEVELS, forecast, truth, torch.zeros_like(known)) is None


def test_steps_and_targets_without_a_truth_get_the_bands_of_the_others() -> None:
    forecast, truth = drawn(500, 8)
    known = torch.ones_like(truth, dtype=torch.bool)
    known[:, 2, 0] = known[..., 1] = False
    factors = calibrate(LEVELS, forecast[..., 1], truth, known)
    assert factors is not None
    kept = truth[:, [0, 1, 3], 0].double().numpy()
    whole = [[-np.sort(-kept.ravel())[1350], 0.0, np.sort(kept.ravel())[1350]]]  # 1,351 of 1,501
    assert factors[2].tolist() == pytest.approx(np.array(whole * 2), rel=1e-6)
    assert factors[0, 1].tolist() == pytest.approx(whole[0], rel=1e-6)
    assert factors[0, 0, 2].item() == pytest.approx(np.sort(truth[:, 0, 0].numpy())[450])
    # A network's own quantiles are left as they are, and those that were fitted before, too.
    own = calibrate(LEVELS, forecast, truth, known)
    assert own is not None
    assert own[:, 1].tolist() == [[-1.0, 0.0, 1.0]] * 4
    before = torch.full((4, 2, 3), 7.0)
    later = calibrate(LEVELS, forecast, truth, known, before=before)
    assert later is not None
    assert torch.equal(later[:, 1], before[:, 1])


@pytest.mark.parametrize("single", [True, False])
def test_quantiles_never_cross_after_the_correction(single: bool) -> None:
    generator = torch.Generator().manual_seed(6)
    levels = (0.05, 0.1, 0.5, 0.8, 0.95)
    forecast = torch.randn(300, 3, 2, 5, generator=generator).sort(3).values
    truth = torch.randn(300, 3, 2, generator=generator) * 9 + 20
    if single:
        forecast = forecast[..., 2]
    factors = calibrate(levels, forecast, truth, torch.ones_like(truth, dtype=torch.bool))
    bands = Bands(levels, factors)
    quantiles = bands.quantiles(forecast)
    assert quantiles is not None
    assert (quantiles.diff(dim=3) >= 0).all()
    assert torch.equal(quantiles[..., 2], bands.point(forecast))


def test_a_calibration_keeps_evenly_spaced_windows_of_many() -> None:
    found: list[torch.Tensor | None] = []

    class Numbers(nn.Module):
        def forward(self, past: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(past)

    def finish(factors: torch.Tensor | None) -> None:
        found.append(factors)

    calibrator = Calibrator(
        lambda network, batch: network(batch.inputs["past"]),
        LEVELS,
        finish,  # type: ignore[arg-type]
    )
    for start in range(0, 30_000, 73):
        numbers = torch.arange(start, min(start + 73, 30_000)).float()[:, None, None]
        calibrator.update(Numbers(), Batch({"past": numbers}, numbers))
    kept = torch.cat([part[1] for part in calibrator._kept]).flatten()
    assert len(kept) <= 8192
    assert kept.diff().unique().tolist() == [4.0]
    stored = sum(part[1].untyped_storage().nbytes() for part in calibrator._kept)
    assert stored == len(kept) * 4  # and nothing of the batches that they were in
    calibrator.compute()
    [factors] = found
    assert factors is not None
    assert factors[0, 0, 2].item() == pytest.approx(27_000, abs=5)


NEW_NETWORKS = [kind for kind in models_of("forecasting") if MODELS[kind]().from_scratch]


@pytest.mark.parametrize("kind", NEW_NETWORKS)
@pytest.mark.parametrize("features", [0, 3])
def test_every_network_forecasts_quantiles_in_order(kind: str, features: int) -> None:
    torch.manual_seed(0)
    config = MODELS[kind]()
    shape = SeriesShape(3, 2, window=32, horizon=7, features=features, levels=LEVELS)
    network = Quantiles(build_model(config, shape), 2)
    past, future = torch.randn(5, 32, 3 + features), torch.randn(5, 7, features)
    truth = torch.randn(5, 7, 2)
    quantiles = network(past, future, truth)
    assert quantiles.shape == (5, 7, 2, 3)
    assert (quantiles.diff(dim=3) >= 0).all()
    forecast_loss(quantiles, truth, "quantile", LEVELS).mean().backward()
    unused = [
        name
        for name, values in network.named_parameters()
        if values.requires_grad and values.grad is None
    ]
    assert unused == []


@pytest.mark.parametrize("kind", NEW_NETWORKS)
def test_a_window_that_is_shifted_and_scaled_moves_its_forecast(kind: str) -> None:
    torch.manual_seed(0)
    config = MODELS[kind](window_norm="standard")
    shape = SeriesShape(2, 2, window=32, horizon=7, levels=LEVELS)
    network = build_model(config, shape).eval()
    past, future = torch.randn(4, 32, 2), torch.zeros(4, 7, 0)
    with torch.no_grad():
        moved, plain = network(past * 3 + 40, future), network(past, future)
    assert torch.allclose(moved, plain * 3 + 40, atol=1e-2)


def test_dates_on_an_axis_are_few_and_lie_within_the_part_that_is_seen() -> None:
    first = date(2024, 2, 1)
    labels = {float(x): str(first + timedelta(days=x)) for x in range(-20, 41)}
    values, texts = label_ticks(labels, -5.0, 30.0, 7)
    assert len(values) == 3
    assert len(label_ticks({x: f"no {x:.0f}" for x in labels}, -5.0, 30.0, 7)[0]) == 6  # short
    assert texts == [labels[x] for x in values]
    assert all(-5 <= x <= 30 for x in values)
    assert label_ticks(labels, 50.0, 60.0, 7) == ([], [])
    picture = draw(Plot([Line("a", [(0.0, 1.0), (30.0, 2.0)], (9, 9, 9))], labels=labels), 70, 12)
    assert "2024-02-" in picture[-1].plain
