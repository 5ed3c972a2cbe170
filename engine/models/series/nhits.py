"""N-HiTS (Challu et al. 2022, "Neural Hierarchical Interpolation for Time Series Forecasting")."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.config.models.nhits import NHitsConfig
from engine.models.series.dlinear import by_step
from engine.models.series.window_norm import with_window_norm
from engine.models.shapes import SeriesShape


class NHits(nn.Module):
    """Each stack explains a part of the window, and forecasts from what is left of it.

    A stack pools its window, forecasts a few points, and interpolates between them linearly
    (sections 3.2 to 3.4). Every target is forecast by the same weights from its own past, other
    columns, and what is known of the future. The forecast ``[batch, horizon, outputs]`` begins at
    the last value.
    """

    def __init__(self, config: NHitsConfig, shape: SeriesShape) -> None:
        super().__init__()
        sizes = zip(config.pool_sizes, config.downsampling, strict=True)
        self.stacks = nn.ModuleList(_Stack(config, shape, *both) for both in sizes)
        self.targets = shape.targets
        self.values = shape.values
        self.outputs = shape.horizon * shape.values
        self.features = shape.features

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the forecast; ``truth`` is ignored."""
        del truth
        own, others = past.tensor_split([self.targets], dim=2)
        rest = own.transpose(1, 2).flatten(0, 1)
        others = others.transpose(1, 2).repeat_interleave(self.targets, 0)
        if self.features:  # else an exported program would ask for its strides
            future = future.flatten(1).repeat_interleave(self.targets, 0)
        forecast: Tensor = rest[:, -1:, None]
        last = len(self.stacks) - 1
        for place, stack in enumerate(self.stacks):
            explained, added = stack(rest, others, future, explain=place < last)
            rest = rest - explained if place < last else rest
            forecast = forecast + added
        by_target = forecast.reshape(-1, self.targets, self.outputs)
        return by_step(by_target, self.values)


class _Stack(nn.Module):
    def __init__(self, config: NHitsConfig, shape: SeriesShape, pool: int, spacing: int) -> None:
        super().__init__()
        self.others = others = shape.channels - shape.targets + shape.features
        self.coming = shape.horizon * shape.features
        inputs = (1 + others) * -(-shape.window // pool) + self.coming
        sizes = [inputs, *[config.hidden_size] * config.layers]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
            layers += [nn.Dropout(config.dropout)] if config.dropout else []
        self.points = max(1, shape.horizon // spacing)
        layers.append(nn.Linear(sizes[-1], shape.window + self.points * shape.values))
        self.layers = nn.Sequential(*layers)
        self.pool = pool
        self.window = shape.window
        self.horizon = shape.horizon
        self.values = shape.values

    def forward(
        self, own: Tensor, others: Tensor, future: Tensor, explain: bool
    ) -> tuple[Tensor, Tensor]:
        """Its part of the windows, and its forecast ``[series, horizon, values]``.

        Unless it is to ``explain``, that part is left empty: no stack reads it.
        """
        whole = own.unsqueeze(1)
        whole = torch.cat([whole, others], 1) if self.others else whole
        pooled = F.max_pool1d(whole, self.pool, ceil_mode=True) if self.pool > 1 else whole
        inputs = pooled.flatten(1)
        # Without columns, an ONNX program would give ``future`` one.
        inputs = torch.cat([inputs, future], 1) if self.coming else inputs
        hidden = self.layers[:-1](inputs)
        last, first = self.layers[-1], 0 if explain else self.window
        assert isinstance(last, nn.Linear)
        result = F.linear(hidden, last.weight[first:], last.bias[first:])
        explained, points = result.tensor_split([self.window - first], dim=1)
        points = points.reshape(-1, self.values, self.points)
        if self.points < self.horizon:
            points = F.interpolate(points, self.horizon, mode="linear")
        return explained, points.transpose(1, 2)


def build(config: NHitsConfig, shape: SeriesShape) -> nn.Module:
    """The network of a section for series of ``shape``."""
    network = NHits(config, shape)
    return with_window_norm(network, config.window_norm, shape.channels, shape.targets)
