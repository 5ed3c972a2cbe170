"""Errors of forecasts agree with scikit-learn and with values computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import nn

from engine.baselines.seasonal_naive import SeasonalNaive
from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation
from engine.metrics.forecasts.errors import Scales, rounded
from engine.metrics.forecasts.evaluator import ForecastEvaluator, LossName, forecast_loss
from engine.reports.views import Lines, Table

SCALES = Scales(("a", "b"), (10.0, -3.0), (2.0, 5.0), (1.5, 0.5))


class Fixed(nn.Module):
    """A network that returns the given forecasts."""

    def __init__(self, forecasts: list[torch.Tensor]) -> None:
        super().__init__()
        self.forecasts = forecasts

    def forward(self) -> torch.Tensor:
        return self.forecasts.pop(0)


def evaluate(
    forecast: torch.Tensor,
    truth: torch.Tensor,
    scales: Scales = SCALES,
    loss: LossName = "mse",
    batch_size: int = 7,
    known: torch.Tensor | None = None,
) -> Evaluation:
    evaluator = ForecastEvaluator(lambda network, _: network(), scales, loss, str)
    network = Fixed(list(forecast.split(batch_size)))
    for start in range(0, len(truth), batch_size):
        part = truth[start : start + batch_size]
        times = torch.arange(start, start + len(part))
        past = torch.zeros(len(part), 6, truth.shape[2])
        inputs = {"past": past, "time": times}
        if known is not None:
            inputs["known"] = known[start : start + batch_size]
        evaluator.update(network, Batch(inputs, part))
    return evaluator.compute(views=True)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(40, 5, 2, generator=generator)
    return truth + 0.3 * torch.randn(40, 5, 2, generator=generator), truth


def test_a_target_without_a_truth_leaves_the_metrics_of_the_others(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    forecast, truth = pair
    known = torch.ones_like(truth, dtype=torch.bool)
    known[..., 1] = False
    first = Scales(*(part[:1] for part in (SCALES.targets, SCALES.mean, SCALES.std)), (1.5,))
    alone = evaluate(forecast[..., :1], truth[..., :1], first)
    both = evaluate(forecast, truth, replace(SCALES, naive_error=(1.5, 1.0)), known=known)
    assert both.metrics == pytest.approx(alone.metrics)


def test_metrics_are_those_of_scikit_learn(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    metrics = evaluate(*pair).metrics
    scaled = [part.double().numpy().reshape(-1, 2) for part in pair]
    forecast, truth = (part * SCALES.std + SCALES.mean for part in scaled)
    assert metrics["mse_scaled"] == pytest.approx(sk.mean_squared_error(scaled[1], scaled[0]))
    assert metrics["mae_scaled"] == pytest.approx(sk.mean_absolute_error(scaled[1], scaled[0]))
    assert metrics["mse"] == pytest.approx(sk.mean_squared_error(truth, forecast))
    assert metrics["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, forecast))
    assert metrics["mae"] == pytest.approx(sk.mean_absolute_error(truth, forecast))
    assert metrics["r2"] == pytest.approx(sk.r2_score(truth, forecast))


def test_metrics_do_not_depend_on_the_batches(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    whole, pieces = evaluate(*pair, batch_size=40).metrics, evaluate(*pair, batch_size=3).metrics
    assert whole == pytest.approx(pieces, rel=1e-12)


def test_values_that_were_filled_in_are_no_truth(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    forecast, truth = pair
    known = torch.rand(truth.shape, generator=torch.Generator().manual_seed(1)) < 0.7
    known[:, 2, 0] = False  # a step without any truth
    wrong = torch.where(known, truth, 1000.0)
    evaluation = evaluate(forecast, wrong, known=known)
    expected: dict[str, list[float]] = {"mse_scaled": [], "mae": [], "r2": []}
    for i in range(2):
        marks = known[..., i]
        scaled = [part[..., i][marks].double().numpy() for part in (truth, forecast)]
        units = [part * SCALES.std[i] + SCALES.mean[i] for part in scaled]
        expected["mse_scaled"].append(float(sk.mean_squared_error(*scaled)))
        expected["mae"].append(float(sk.mean_absolute_error(*units)))
        expected["r2"].append(float(sk.r2_score(*units)))
    for name, values in expected.items():
        assert evaluation.metrics[name] == pytest.approx(np.mean(values))
    views = {view.title: view for view in evaluation.views}
    table, picture = views["Errors by step"], views["Forecast of a after 0"]
    assert isinstance(table, Table)
    assert table.rows[2][1] == pytest.approx(
        sk.mean_squared_error(truth[:, 2, 1][known[:, 2, 1]], forecast[:, 2, 1][known[:, 2, 1]]),
        rel=1e-4,
    )
    assert isinstance(picture, Lines)
    assert picture.series["truth"][-3] is None


def test_mase_is_the_error_over_that_of_the_naive_forecast_in_training() -> None:
    # Errors of 1 and 2 deviations: 2 and 10 in units, over 1.5 and 0.5.
    truth = torch.zeros(1, 2, 2)
    forecast = torch.tensor([[[1.0, -2.0], [-1.0, 2.0]]])
    assert evaluate(forecast, truth).metrics["mase"] == pytest.approx((2 / 1.5 + 10 / 0.5) / 2)


def test_what_cannot_be_divided_is_not_a_number() -> None:
    scales = Scales(("a",), (0.0,), (1.0,), (0.0,))
    metrics = evaluate(torch.ones(3, 2, 1), torch.zeros(3, 2, 1), scales).metrics
    assert np.isnan(metrics["mase"])
    assert np.isnan(metrics["r2"])


@pytest.mark.parametrize(
    ("name", "reference"),
    [("mse", nn.MSELoss()), ("mae", nn.L1Loss()), ("huber", nn.HuberLoss())],
)
def test_losses_are_those_of_torch(
    name: LossName, reference: nn.Module, pair: tuple[torch.Tensor, torch.Tensor]
) -> None:
    forecast, truth = pair[0] * 3, pair[1]
    assert forecast_loss(forecast, truth, name).mean().item() == pytest.approx(
        reference(forecast, truth).item()
    )
    assert evaluate(forecast, truth, loss=name).metrics["loss"] == pytest.approx(
        reference(forecast, truth).item()
    )


def test_errors_are_shown_by_step() -> None:
    forecast = torch.zeros(4, 3, 2)
    truth = torch.tensor([0.0, 1.0, 2.0])[None, :, None].expand(4, 3, 2)
    views = {view.title: view for view in evaluate(forecast, truth).views}
    table, lines = views["Errors by step"], views["RMSE by step"]
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [[1, 0.0], [2, 1.0], [3, 4.0]]
    assert isinstance(lines, Lines)
    assert lines.series == {"a": [0.0, 2.0, 4.0], "b": [0.0, 5.0, 10.0]}


def test_the_worst_window_is_drawn_in_units_of_the_data() -> None:
    truth, forecast = torch.zeros(20, 2, 2), torch.zeros(20, 2, 2)
    forecast[13, :, 0] = 4.0
    views = {view.title: view for view in evaluate(forecast, truth).views}
    worst = views["Worst forecast of a after 13"]
    assert isinstance(worst, Lines)
    assert worst.x == [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0]
    assert worst.series["truth"] == [10.0] * 6
    assert worst.series["forecast"] == [None, None, None, None, 18.0, 18.0]
    assert len([title for title in views if title.startswith("Forecast of a")]) == 3


def test_the_naive_forecast_repeats_the_last_season() -> None:
    past = torch.arange(8.0).reshape(1, 8, 1)
    repeated = SeasonalNaive(3, horizon=7, targets=1)(past, past)
    assert repeated[0, :, 0].tolist() == [5, 6, 7, 5, 6, 7, 5]
    assert SeasonalNaive(1, horizon=2, targets=1)(past, past)[0, :, 0].tolist() == [7, 7]


def test_numbers_of_a_chart_have_no_digits_that_float32_made_up() -> None:
    counts, mean, std = np.array([0.0, 3.0, 10.0, 873.0]), 189.463, 181.387
    drawn = ((counts - mean) / std).astype(np.float32) * std + mean
    assert drawn.tolist() != counts.tolist()
    assert rounded(drawn) == counts.tolist()
    assert rounded(np.array([1e-9, 2.34567891e-9, np.nan])) == [1e-9, 2.34568e-9, None]
    assert rounded(np.zeros(2)) == [0.0, 0.0]
