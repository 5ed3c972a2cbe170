"""Heads of a network for several quantiles, which never cross."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn


class Quantiles(nn.Module):
    """Sorts the values that a network forecasts for each target.

    The forecast is ``[batch, horizon, targets, levels]``.
    Sorting never raises the pinball loss (rearrangement, Chernozhukov, Fernández-Val and Galichon
    2010, "Quantile and Probability Curves Without Crossing").
    """

    def __init__(self, network: nn.Module, targets: int) -> None:
        super().__init__()
        self.network = network
        self.targets = targets

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Return the quantiles in rising order; ``truth`` helps some networks in training."""
        values: Tensor = self.network(past, future, truth)
        return values.reshape(*values.shape[:2], self.targets, -1).sort(3).values

    def save_pretrained(self, folder: Path) -> None:
        """Write the network inside, where it is one of a library. Raises ``OSError``."""
        saved: Any = self.network
        saved.save_pretrained(folder)
