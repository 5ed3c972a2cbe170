"""The evaluation of forecasts: sums of errors by step and target, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.forecasts.bands import Bands
from engine.metrics.forecasts.cutoffs import WindowErrors
from engine.metrics.forecasts.errors import ForecastErrors, Scales
from engine.metrics.forecasts.following_bands import SeriesBands
from engine.metrics.forecasts.many_series import OwnScales, SeriesErrors, to_common
from engine.metrics.forecasts.pictures import Dates, Pictures, Windows, past_of
from engine.metrics.forecasts.quantiles import QuantileSums, pinball_loss
from engine.reports.views import View

LossName = Literal["mse", "mae", "huber", "quantile"]


def forecast_loss(
    forecast: Tensor, targets: Tensor, name: LossName, levels: Sequence[float] = ()
) -> Tensor:
    """The loss of each value, of the shape of ``targets``; ``huber`` bends at one deviation.

    That of ``quantile`` is the mean over the ``levels``, which lie behind the targets.
    """
    if name == "quantile":
        return pinball_loss(forecast.float(), targets, levels).mean(3)
    difference = forecast.float() - targets
    if name == "mae":
        return difference.abs()
    if name == "huber":
        size = difference.abs()
        return torch.where(size < 1, 0.5 * difference.square(), size - 0.5)
    return difference.square()


class ForecastEvaluator(Evaluator):
    """Sums errors by step and target on the device; keeps two windows of each batch to show.

    Truths that were filled in (``known`` of a batch is false) are neither counted nor drawn.
    """

    def __init__(
        self,
        forward: Callable[[nn.Module, Batch], Tensor],
        scales: Scales,
        loss: LossName,
        time_text: Callable[[int], str],
        bands: Bands | None = None,
        *,
        cutoffs: int = 0,
        stride: int = 1,
        dates: Dates | None = None,
        own: OwnScales | None = None,
    ) -> None:
        """With ``own`` scales each series has its own; ``scales`` are those of all rows together.

        ``cutoffs`` is the number of rolling origins to show, of windows ``stride`` rows apart.

        ``bands`` says which quantiles the network forecasts, or adds them to its forecasts. Where
        it has factors, windows come series by series in the order of time, and bands go by the
        errors before them.
        """
        self._forward = forward
        self._scales = scales
        self._loss = loss
        self._time_text = time_text
        self._sums: Tensor | None = None
        self._bands = bands or Bands((0.5,))
        self._quantiles = QuantileSums(self._bands.levels)
        self._has_quantiles = False
        self._cutoffs = cutoffs
        self._stride = stride
        self._following: SeriesBands | None = None
        self._windows = WindowErrors()
        self._series = None if own is None else SeriesErrors(own)
        name = str if self._series is None else self._series.name
        self._pictures = Pictures(scales, self._bands, time_text, dates, name)

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        returned = self._forward(network, batch).float()
        forecast, truth = self._bands.point(returned), batch.targets
        # MPS has no float64; sums of many windows are kept exact where it can be had.
        exact = torch.float32 if truth.device.type == "mps" else torch.float64
        known = batch.inputs.get("known", torch.ones_like(truth, dtype=torch.bool))
        quantiles = self._quantiles_of(returned, batch, known)
        losing = forecast
        if self._loss == "quantile":
            losing = self._bands.every(returned) if quantiles is None else quantiles
        own = difference = (forecast - truth).to(exact) * known
        losses = forecast_loss(losing, truth, self._loss, self._bands.levels).to(exact)
        past, past_known = past_of(batch.inputs, truth.shape[2])
        if self._series is not None:
            past, truth, forecast = (self._common(v, batch, exact) for v in (past, truth, forecast))
            if quantiles is not None:
                levels = [self._common(v, batch, exact) for v in quantiles.unbind(3)]
                quantiles = torch.stack(levels, 3)
            difference = (forecast - truth) * known
        relative, sizes = self._sizes(forecast.to(exact), truth.to(exact), known)
        parts = (
            difference.square(),
            difference.abs(),
            losses * known,
            truth.to(exact) * known,
            truth.to(exact).square() * known,
            relative,
            sizes,
            known.to(exact),
        )
        if self._series is not None:
            self._series.update(batch.inputs["series"], own, relative, known)
        sums = torch.stack([part.sum(0) for part in parts])
        self._sums = sums if self._sums is None else self._sums + sums
        order = batch.inputs.get("order") if self._series is not None else None
        self._windows.update(own, known, batch.inputs["time"], order)
        if quantiles is not None:
            self._has_quantiles = True
            self._quantiles.update(quantiles, truth, known, exact)
        error = own.square().sum((1, 2)) / known.sum((1, 2)).clamp(min=1)
        truth = truth.where(known, torch.nan)
        series = batch.inputs.get("series") if self._series is not None else None
        time = batch.inputs["time"]
        self._pictures.keep(
            Windows(past, past_known, truth, forecast, time, error, quantiles, series)
        )

    def _quantiles_of(self, returned: Tensor, batch: Batch, known: Tensor) -> Tensor | None:
        truth = batch.targets
        if self._following is None:
            self._following = SeriesBands(self._bands, -(-truth.shape[1] // self._stride))
        series = batch.inputs.get("order", torch.zeros(len(truth), dtype=torch.int64))
        return self._following.quantiles(returned, truth, known, series)

    def _common(self, values: Tensor, batch: Batch, exact: torch.dtype) -> Tensor:
        """Values in the scales of their series, in that of all rows together."""
        mean, std = (
            torch.tensor(part, dtype=exact, device=values.device)
            for part in (self._scales.mean, self._scales.std)
        )
        return to_common(values.to(exact), batch.inputs, mean, std)

    def _sizes(self, forecast: Tensor, truth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Relative errors in percent as in the M4 competition, and sizes of the truth.

        Sizes are divided by the standard deviation.
        """
        std = torch.tensor(self._scales.std, dtype=truth.dtype, device=truth.device)
        zero = torch.tensor(self._scales.mean, dtype=truth.dtype, device=truth.device) / std
        size = (truth + zero).abs()
        both = size + (forecast + zero).abs()
        relative = 200 * (forecast - truth).abs() / both.clamp(min=torch.finfo(both.dtype).tiny)
        return relative * known, size * known

    def compute(self, views: bool = False) -> Evaluation:
        """All metrics; each is the mean over the targets."""
        if self._sums is None:
            return Evaluation({})
        parts = self._sums.cpu().double().numpy()
        quantiles = self._quantiles.result(parts[-2], parts[-1]) if self._has_quantiles else None
        own = {} if self._series is None else self._series.by_target()
        sums = ForecastErrors(parts, self._scales, quantiles, own)
        apart = max(1, sums.horizon // self._stride)
        shown = self._views(sums, apart) if views else []
        metrics = sums.metrics() | self._windows.metrics_at_cutoffs(self._cutoffs, apart)
        absolute, places = self._windows.absolute(), self._windows.places(apart)
        return Evaluation(metrics, shown, absolute, apart, places=places)

    def _views(self, sums: ForecastErrors, apart: int) -> list[View]:
        by_series = None if self._series is None else self._series.table()
        cutoffs = self._windows.at_cutoffs(self._cutoffs, apart, self._time_text)
        tables = [table for table in (by_series, cutoffs) if table is not None]
        return [*sums.views(), *tables, *self._pictures.views()]
