"""The forecast that repeats the last season: what every network has to beat."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SeasonalNaive(nn.Module):
    """Step ``h`` of the horizon is the value of the same place in the last season of the window.

    A season of one step repeats the last value.
    """

    def __init__(self, season: int, horizon: int, targets: int) -> None:
        super().__init__()
        self.season = season
        self.horizon = horizon
        self.targets = targets

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """The forecast ``[batch, horizon, targets]`` from ``[batch, window, channels]``."""
        del future, truth
        steps = torch.arange(self.horizon, device=past.device) % self.season
        return past[:, past.shape[1] - self.season + steps, : self.targets]
