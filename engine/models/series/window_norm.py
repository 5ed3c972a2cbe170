"""Normalisation of each window by itself, so that the network is independent of a series' level."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

WindowNorm = Literal["none", "last", "standard"]

_SMALLEST = 1e-5
"""Added to a variance: a constant window stays finite."""


class Normalized(nn.Module):
    """Shifts (and scales) the channels of a window before a network, and back what it forecasts.

    ``last`` subtracts the last value (NLinear, Zeng et al. 2022), ``standard`` also divides by the
    deviation after subtracting the mean (reversible instance normalisation without learned
    parameters, Kim et al. 2022). Calendar features behind the channels are left alone.
    """

    def __init__(self, network: nn.Module, kind: WindowNorm, channels: int, targets: int) -> None:
        super().__init__()
        self.network = network
        self.kind = kind
        self.channels = channels
        self.targets = targets

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Normalise the inputs, call the network inside, and undo the normalisation."""
        values, features = past.tensor_split([self.channels], dim=2)
        shift, scale = self._statistics(values)
        past = (values - shift) / scale
        past = torch.cat([past, features], 2) if features.shape[2] else past
        shift, scale = shift[..., : self.targets], scale[..., : self.targets]
        if truth is not None:
            truth = (truth - shift) / scale
        forecast: Tensor = self.network(past, future, truth)
        each = forecast.shape[2] // self.targets
        return forecast * scale.repeat_interleave(each, 2) + shift.repeat_interleave(each, 2)

    def _statistics(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and scale, each ``[batch, 1, channels]``."""
        if self.kind == "last":
            last = values[:, -1:]
            return last, torch.ones_like(last)
        # Twice a mean takes a tenth of the time of torch.var_mean on the CPU.
        mean = values.mean(1, keepdim=True)
        variance = (values - mean).square().mean(1, keepdim=True)
        return mean, (variance + _SMALLEST).sqrt()


def with_window_norm(
    network: nn.Module, kind: WindowNorm, channels: int, targets: int
) -> nn.Module:
    """``network``, inside :class:`Normalized` where ``kind`` asks for it."""
    return network if kind == "none" else Normalized(network, kind, channels, targets)
