"""Errors of forecasts, in the units of the data and standardised, and pictures of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.forecasts.bands import Bands
from engine.metrics.forecasts.cutoffs import WindowErrors
from engine.metrics.forecasts.following_bands import SeriesBands
from engine.metrics.forecasts.many_series import OwnScales, SeriesErrors, to_common
from engine.metrics.forecasts.quantiles import QuantileErrors, QuantileSums, pinball_loss
from engine.reports.views import Lines, Table, View

LossName = Literal["mse", "mae", "huber", "quantile"]

_SHOWN_WINDOWS = 3
_SHOWN_TARGETS = 3
_SHOWN_PAST = 2
"""Horizons of the past that are drawn before a forecast."""


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


@dataclass(frozen=True)
class Scales:
    """Scales that turn standardised errors of each target into other errors."""

    targets: Sequence[str]
    mean: Sequence[float]
    std: Sequence[float]
    naive_error: Sequence[float]
    """Mean absolute error of repeating the season before, on the training rows."""
    naive_squared: Sequence[float] = ()
    """Mean squared error of the same; empty for models that do not know it."""


@dataclass(frozen=True)
class _Shown:
    """A few windows of one batch, on the device: its first and its worst."""

    past: Tensor
    truth: Tensor
    forecast: Tensor
    time: Tensor
    error: Tensor
    quantiles: Tensor | None
    series: Tensor | None


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
        dates: Callable[[int, NDArray[np.int64]], Sequence[str]] | None = None,
        own: OwnScales | None = None,
    ) -> None:
        """``dates`` returns the texts of the times so many steps after one.

        With ``own`` scales each series has its own; ``scales`` are those of all rows together.

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
        self._dates = dates
        self._windows = WindowErrors()
        self._series = None if own is None else SeriesErrors(own)
        self._shown: list[_Shown] = []

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
        past = batch.inputs["past"][..., : truth.shape[2]]
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
        self._windows.update(own, known, batch.inputs["time"])
        if quantiles is not None:
            self._has_quantiles = True
            self._quantiles.update(quantiles, truth, known, exact)
        error = own.square().sum((1, 2)) / known.sum((1, 2)).clamp(min=1)
        truth = truth.where(known, torch.nan)
        chosen = torch.stack([torch.zeros_like(error.argmax()), error.argmax()])
        series: Tensor | None = batch.inputs.get("series")
        self._shown.append(
            _Shown(
                past[chosen],
                truth[chosen],
                forecast[chosen],
                batch.inputs["time"][chosen],
                error[chosen],
                None if quantiles is None else quantiles[chosen],
                None if series is None else series[chosen],
            )
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
        by_series = [] if self._series is None else [self._series.table()]
        tables = [table for table in by_series if table is not None]
        shown = (
            [*sums.views(), *tables, *self._at_cutoffs(apart), *self._pictures()] if views else []
        )
        metrics = sums.metrics() | self._windows.metrics_at_cutoffs(self._cutoffs, apart)
        return Evaluation(metrics, shown, self._windows.absolute(), apart)

    def _at_cutoffs(self, apart: int) -> list[View]:
        table = self._windows.at_cutoffs(self._cutoffs, apart, self._time_text)
        return [table] if table is not None else []

    def _pictures(self) -> list[View]:
        """Forecasts against the truth: the worst one, and some spread over the split."""
        spread = np.unique(np.linspace(0, len(self._shown) - 1, _SHOWN_WINDOWS + 1).round())
        errors = torch.stack([shown.error[1] for shown in self._shown])
        chosen = [("Forecast", int(i), 0) for i in spread[:_SHOWN_WINDOWS]]
        chosen.append(("Worst forecast", int(errors.argmax()), 1))
        pictures: list[View] = []
        for title, index, which in chosen:
            shown = self._shown[index]
            when = self._time_text(int(shown.time[which]))
            if self._series is not None and shown.series is not None:
                when += f", {self._series.name(int(shown.series[which]))}"
            for i, target in list(enumerate(self._scales.targets))[:_SHOWN_TARGETS]:
                of = f"{title} of {target} after {when}"
                pictures.append(self._picture(of, shown, which, i))
        return pictures

    def _picture(self, title: str, shown: _Shown, which: int, target: int) -> Lines:
        mean, std = self._scales.mean[target], self._scales.std[target]
        past, truth, forecast = (
            part[which, :, target].cpu().numpy() * std + mean
            for part in (shown.past, shown.truth, shown.forecast)
        )
        bands = {}
        if shown.quantiles is not None:
            own = shown.quantiles[which, :, target].cpu().numpy() * std + mean
            ends = {0, len(self._bands.levels) - 1} - {self._bands.median}
            bands = {f"{self._bands.levels[end]:g}": own[:, end] for end in ends}
        picture = forecast_picture(title, past, truth, forecast, bands)
        if self._dates is None:
            return picture
        steps = np.array(picture.x, np.int64)
        return replace(picture, labels=self._dates(int(shown.time[which]), steps))


def forecast_picture(
    title: str,
    past: NDArray[np.float64],
    truth: NDArray[np.float64],
    forecast: NDArray[np.float64],
    bands: Mapping[str, NDArray[np.float64]],
) -> Lines:
    """Return the end of the past, then truth and forecast; the first forecast step is at 1.

    The ends of the widest band follow, named by their quantiles.
    """
    past = past[-_SHOWN_PAST * len(truth) :]
    nothing: list[float | None] = [None] * len(past)
    return Lines(
        title,
        list(map(float, range(1 - len(past), len(truth) + 1))),
        {
            "truth": [*_rounded(past), *_rounded(truth)],
            "forecast": [*nothing, *_rounded(forecast)],
            **{level: [*nothing, *_rounded(values)] for level, values in sorted(bands.items())},
        },
    )


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]


class ForecastErrors:
    """Metrics from sums over windows."""

    def __init__(
        self,
        sums: NDArray[np.float64],
        scales: Scales,
        quantiles: QuantileErrors | None = None,
        own: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        """``sums`` are ``[8, horizon, targets]``, in the order of :class:`ForecastEvaluator`:

        errors squared, absolute, loss, truth, its square, relative errors, sizes of the truth, and
        the number of truths. ``own`` are metrics of each target by the scales of its series.
        """
        self._own = own or {}
        self._quantiles = quantiles
        *self._sums, self._counts = sums
        self.squared, self.absolute = (_divided(s, self._counts) for s in self._sums[:2])
        self.scales = scales
        self.horizon = len(self._counts)
        self.std = np.asarray(scales.std)

    def by_target(self) -> dict[str, NDArray[np.float64]]:
        """Each metric for each target. Sources: MASE, Hyndman and Koehler 2006, with the season of
        the series; R² over all windows and steps of a target, as scikit-learn pools them.
        """
        counts = self._counts.sum(0)
        squared, absolute, loss, truth, truth_squared, relative, _ = (
            _divided(part.sum(0), counts) for part in self._sums
        )
        variance = truth_squared - truth**2
        naive = np.asarray(self.scales.naive_error)
        mae = absolute * self.std
        return {
            "mse_scaled": squared,
            "mae_scaled": absolute,
            "loss": loss,
            "mse": squared * self.std**2,
            "rmse": np.sqrt(squared) * self.std,
            "mae": mae,
            "mase": _divided(mae, naive),
            "r2": 1 - _divided(squared, variance),
            "smape": relative,
            **self._root_scaled(squared * self.std**2),
            **(self._quantiles.by_target() if self._quantiles else {}),
            **self._own,
        }

    def _root_scaled(self, mse: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """RMSSE as in the M5 competition, with the season of the series in place of one step."""
        naive = np.asarray(self.scales.naive_squared)
        return {"rmsse": np.sqrt(_divided(mse, naive))} if len(naive) else {}

    def metrics(self) -> dict[str, float]:
        """The means over the targets."""
        return {name: float(values.mean()) for name, values in self.by_target().items()}

    def views(self) -> list[View]:
        """Metrics by target, and errors by step."""
        targets = self.by_target()
        shown = ("mse_scaled", "rmse", "mae", "mase", "smape", "r2", "wql", "coverage")
        names = [name for name in shown if name in targets]
        table = Table(
            "Errors by target",
            ["target", *names],
            [
                [target, *(_cell(targets[name][i]) for name in names)]
                for i, target in enumerate(self.scales.targets)
            ],
        )
        bands = self._quantiles.views(self.std) if self._quantiles else []
        return [*bands, table, self._step_lines(), self._step_table()]

    def _step_lines(self) -> Lines:
        rmse = np.sqrt(self.squared) * self.std
        steps = list(map(float, range(1, len(rmse) + 1)))
        shown = list(enumerate(self.scales.targets))[:_SHOWN_TARGETS]
        return Lines("RMSE by step", steps, {name: _rounded(rmse[:, i]) for i, name in shown})

    def _step_table(self) -> Table:
        columns = {
            "mse_scaled": _mean_known(self.squared),
            "rmse": _mean_known(np.sqrt(self.squared) * self.std),
            "mae": _mean_known(self.absolute * self.std),
        }
        if self._own:
            # The scale of all rows together says little of series of different sizes.
            del columns["mse_scaled"]
        steps = enumerate(zip(*columns.values(), strict=True), 1)
        rows = [[i, *map(_cell, step)] for i, step in steps]
        return Table("Errors by step", ["step", *columns], rows)


def _mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the targets that have truths at a step; NaN where none has."""
    known = np.isfinite(values)
    return _divided(np.where(known, values, 0.0).sum(1), known.sum(1).astype(np.float64))


def _divided(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _cell(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
