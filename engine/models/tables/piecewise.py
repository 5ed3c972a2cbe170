"""Piecewise linear embeddings: each number as its place among bins, then as a learned vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FAR = 1e6
"""Place beyond the outer bins that no standardised number reaches: weights must be finite."""


class PiecewiseLinear(nn.Module):
    """A vector for each number: linear in it, plus a linear map of its place among bins.

    After Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning" (2022),
    with the plain linear part of TabM (2025). The part of the bins begins at zero. Takes
    ``[batch, numbers]``, gives ``[batch, numbers · size]``.
    """

    low: Tensor
    scale: Tensor
    least: Tensor
    most: Tensor

    def __init__(self, edges: Sequence[Sequence[float]], size: int) -> None:
        """``edges`` of the bins of each number in rising order; fewer than two are no bin."""
        super().__init__()
        self.width = len(edges) * size
        for name, values in _encoding(edges).items():
            self.register_buffer(name, values)
        bins = self.low.shape[1]
        self.weight = nn.Parameter(torch.zeros(len(edges), bins, size))
        self.slope = nn.Parameter(torch.empty(len(edges), size).uniform_(-1, 1))
        self.bias = nn.Parameter(torch.empty(len(edges) * size).uniform_(-1, 1))

    def forward(self, numbers: Tensor) -> Tensor:
        """The vectors of all numbers side by side."""
        places = ((numbers.unsqueeze(-1) - self.low) * self.scale).clamp(self.least, self.most)
        bent = torch.bmm(places.transpose(0, 1), self.weight).transpose(0, 1)
        straight = numbers.unsqueeze(-1) * self.slope
        return (bent + straight).flatten(1) + self.bias


def _encoding(edges: Sequence[Sequence[float]]) -> dict[str, Tensor]:
    """Return ``[numbers, bins]`` lower edges, inverse widths and bounds of the place in a bin.

    Below the first bin and above the last, the place continues in a straight line.
    """
    most = max([len(own) - 1 for own in edges if len(own) > 1], default=1)
    shape = len(edges), most
    low, scale, least = torch.zeros(shape), torch.zeros(shape), torch.zeros(shape)
    upper = torch.ones(shape)
    for number, own in enumerate(edges):
        bins = len(own) - 1
        if bins < 1:
            continue
        cuts = torch.tensor(own, dtype=torch.float64)
        low[number, :bins] = cuts[:-1].float()
        scale[number, :bins] = (1 / (cuts[1:] - cuts[:-1])).float()
        least[number, 0] = -FAR
        upper[number, bins - 1] = FAR
    return {"low": low, "scale": scale, "least": least, "most": upper}
