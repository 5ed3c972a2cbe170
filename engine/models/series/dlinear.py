"""DLinear (Zeng et al. 2022, "Are Transformers Effective for Time Series Forecasting?")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.config.models.dlinear import DLinearConfig
from engine.models.series.future_effect import future_effect
from engine.models.series.window_norm import with_window_norm
from engine.models.shapes import SeriesShape


class DLinear(nn.Module):
    """A moving average is the trend, what is left the season; a linear layer forecasts each.

    Every target is forecast from its own past alone, by layers of its own with ``individual``, by
    shared ones without. ``past`` is ``[batch, window, channels]``, targets first; what is known of
    the future adds to the forecast ``[batch, horizon, outputs]``.
    """

    def __init__(self, shape: SeriesShape, kernel_size: int, individual: bool) -> None:
        super().__init__()
        count = shape.targets if individual else 1
        steps = shape.horizon * shape.values
        self.trend = nn.ModuleList(nn.Linear(shape.window, steps) for _ in range(count))
        self.season = nn.ModuleList(nn.Linear(shape.window, steps) for _ in range(count))
        self.calendar = future_effect(shape)
        self.targets = shape.targets
        self.values = shape.values
        self.kernel_size = kernel_size

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the forecast; ``truth`` is ignored."""
        del truth
        series = past[..., : self.targets].transpose(1, 2)
        trend = self._moving_average(series)
        forecast = _each(self.trend, trend) + _each(self.season, series - trend)
        forecast = by_step(forecast, self.values)
        return forecast if self.calendar is None else forecast + self.calendar(future)

    def _moving_average(self, series: Tensor) -> Tensor:
        """Over ``kernel_size`` rows of ``[batch, targets, window]``, the ends repeated."""
        before = (self.kernel_size - 1) // 2
        padded = F.pad(series, (before, self.kernel_size - 1 - before), mode="replicate")
        return F.avg_pool1d(padded, self.kernel_size, stride=1)


def by_step(forecast: Tensor, values: int) -> Tensor:
    """``[batch, targets, horizon * values]`` as ``[batch, horizon, targets * values]``."""
    batch, targets, _ = forecast.shape
    return forecast.reshape(batch, targets, -1, values).transpose(1, 2).flatten(2)


def _each(layers: nn.ModuleList, series: Tensor) -> Tensor:
    if len(layers) == 1:
        shared: Tensor = layers[0](series)
        return shared
    return torch.stack([layer(series[:, i]) for i, layer in enumerate(layers)], 1)


def build(config: DLinearConfig, shape: SeriesShape) -> nn.Module:
    """The network of a section for series of ``shape``."""
    network = DLinear(shape, config.kernel_size, config.individual)
    return with_window_norm(network, config.window_norm, shape.channels, shape.targets)
