"""Metrics of tasks that predict a number, in the units of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.forecasts.number_bands import NumberBands
from engine.metrics.forecasts.quantiles import QuantileSums, pinball_loss
from engine.metrics.gathered import Gathered
from engine.metrics.tables.worst_rows import WorstRows, WrongRows
from engine.metrics.uncertainty.intervals import Interval, bootstrap, mean_interval, share_interval
from engine.metrics.uncertainty.paired import PairedRows
from engine.processes.later import Later
from engine.reports.views import Cell, Lines, Table, View

sk = Later("sklearn.metrics")

LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
}
_WORST = 20
_POINTS = 200
_ROUNDING = 1e-12
"""Part of the mean square up to which a variance is that of rounding."""

Floats = NDArray[np.float64]


def number_loss(outputs: Tensor, targets: Tensor, loss: str, levels: Sequence[float]) -> Tensor:
    """Mean loss of ``[batch, values]`` outputs: a value, or one for each of the ``levels``.

    Quantiles that cross are not sorted: the members of an ensemble must agree on their order.
    """
    if loss == "quantile":
        return pinball_loss(outputs, targets, levels).mean()
    return LOSSES[loss](outputs.squeeze(-1), targets)


def number_losses(outputs: Tensor, targets: Tensor, loss: str, levels: Sequence[float]) -> Tensor:
    """The losses ``[…, rows]`` of :func:`number_loss`, of outputs ``[…, rows, values]``."""
    if loss == "quantile":
        return pinball_loss(outputs, targets, levels).mean(-1)
    values = outputs.squeeze(-1)
    return LOSSES[loss](values, targets.expand_as(values), reduction="none")


class RegressionEvaluator(Evaluator):
    """One number a sample."""

    def __init__(
        self,
        mean: float,
        std: float,
        forward: Callable[[nn.Module, Batch], Tensor],
        loss: Callable[[Tensor, Tensor], Tensor],
        describe: Callable[[Batch, int], str],
        bands: NumberBands,
    ) -> None:
        """``forward`` gives ``[batch, values]`` in standard deviations, ``loss`` compares such.

        ``describe`` returns row ``i`` of a batch in words, for the worst mistakes; ``bands`` tell
        prediction and quantiles of outputs.
        """
        self._mean, self._std = mean, std
        self._forward, self._loss, self._describe = forward, loss, describe
        self._bands = bands
        self._outputs = Gathered()
        self._targets = Gathered()
        self._mistakes = WorstRows(_WORST, lambda said, true: (said - true).abs())
        self.worst: WrongRows | None = None
        """The largest errors, once views were computed."""

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        outputs = self._forward(network, batch).float()
        self._outputs.add(outputs)
        self._targets.add(batch.targets)
        self._mistakes.add(self._bands.point(outputs), batch)

    def compute(self, views: bool = False) -> Evaluation:
        """All metrics by scikit-learn, and the coverage of the bands."""
        outputs, targets = self._outputs.joined(), self._targets.joined()
        loss = float(self._loss(outputs, targets))
        truth, guess = self._in_units(targets), self._in_units(self._bands.point(outputs))
        evaluation = evaluate_numbers(guess, truth, loss)
        covered, shown = coverage_of(self._bands, outputs, targets, self._std)
        evaluation = replace(evaluation, metrics=evaluation.metrics | covered)
        if not views:
            return evaluation
        self.worst = self._worst()
        losses = torch.vmap(self._loss)(outputs, targets).double().numpy()
        held = {name: share_interval(share, len(truth)) for name, share in covered.items()}
        return replace(
            evaluation,
            views=[*shown, self.worst.table, predicted_and_true(guess, truth)],
            intervals=number_intervals(guess, truth, losses) | held,
        )

    def _in_units(self, values: Tensor) -> Floats:
        return values.cpu().double().numpy() * self._std + self._mean

    def _worst(self) -> WrongRows:
        predicted, batch, numbers = self._mistakes.worst()
        guess, truth = self._in_units(predicted), self._in_units(batch.targets)
        rows: list[list[Cell]] = [
            [*(_short(v) for v in (truth[i], guess[i], guess[i] - truth[i])),
             self._describe(batch, i)]
            for i in range(len(truth))
        ]  # fmt: skip
        table = Table("Worst mistakes", ["true", "predicted", "difference", "inputs"], rows)
        return WrongRows(table, numbers, self._mistakes.wrong)


def coverage_of(
    bands: NumberBands, outputs: Tensor, targets: Tensor, std: float
) -> tuple[dict[str, float], list[View]]:
    """Return the share of the truth inside the widest band, and views of all bands.

    ``outputs`` ``[rows, values]`` and ``targets`` ``[rows]`` are in standard deviations, ``std`` is
    one in the units of the data. Both are empty where no bands are known.
    """
    quantiles, truth = bands.quantiles(outputs), targets[:, None, None]
    if quantiles is None:
        return {}, []
    sums = QuantileSums(bands.levels)
    sums.update(quantiles[:, None, None], truth, torch.ones_like(truth), torch.float64)
    sizes = np.array([[float(targets.abs().sum())]])
    result = sums.result(sizes, np.full((1, 1), float(len(targets))))
    metrics = result.by_target()
    covered = {"coverage": float(metrics["coverage"][0])} if "coverage" in metrics else {}
    return covered, result.views(np.full(1, std))


def evaluate_numbers(predicted: Floats, truth: Floats, loss: float) -> Evaluation:
    """Metrics of ``[rows]`` predictions against the truth, both in the units of the data.

    They are NaN, as the loss is, where a network predicts something that is not finite; R² is
    where all rows have the same target.
    """
    rows = PairedRows("squared", truth, (predicted - truth) ** 2)
    if not np.isfinite(predicted).all():  # scikit-learn refuses such predictions
        unknown = dict.fromkeys(("r2", "rmse", "mae", "mse"), float("nan"))
        return Evaluation(unknown | {"loss": loss}, rows=rows)
    mse = float(sk.mean_squared_error(truth, predicted))
    metrics = {
        "r2": float(sk.r2_score(truth, predicted)) if np.ptp(truth) > 0 else float("nan"),
        "rmse": mse**0.5,
        "mae": float(sk.mean_absolute_error(truth, predicted)),
        "mse": mse,
        "loss": loss,
    }  # fmt: skip
    return Evaluation(metrics, rows=rows)


def number_intervals(
    predicted: Floats, truth: Floats, losses: Floats | None = None
) -> dict[str, Interval]:
    """Return the intervals of all metrics; that of the loss by those of single rows."""
    errors, apart = predicted - truth, truth - truth.mean()
    found = bootstrap([errors**2, np.abs(errors), apart, apart**2], {
        "r2": lambda means: 1 - means[:, 0] / _variance(means[:, 2], means[:, 3]),
        "rmse": lambda means: np.sqrt(means[:, 0]),
        "mae": lambda means: means[:, 1],
        "mse": lambda means: means[:, 0],
    })  # fmt: skip
    return found if losses is None else found | mean_interval("loss", losses)


def _variance(mean: Floats, square: Floats) -> Floats:
    """Return variances by means of values and of their squares, NaN where there is none."""
    variance = square - mean**2
    return np.where(variance > _ROUNDING * square, variance, np.nan)


def predicted_and_true(predicted: Floats, truth: Floats) -> View:
    """Return both as curves over the rows, sorted by the truth; many are downsampled evenly."""
    order = np.argsort(truth, kind="stable")
    kept = order[np.unique(np.linspace(0, len(order) - 1, min(_POINTS, len(order))).astype(int))]
    series: dict[str, Sequence[float | None]] = {
        "predicted": [_short(v) for v in predicted[kept]],
        "true": [_short(v) for v in truth[kept]],
    }
    return Lines(
        "Predicted and true values, sorted by the truth", list(range(len(kept))), series, "row"
    )


def _short(value: float) -> float:
    return float(f"{value:.5g}")
