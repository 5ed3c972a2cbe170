"""Static features of many categories, embedded in few columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from engine.models.shapes import SeriesShape

_COLUMNS = 8
"""More static features than this are embedded in as many columns."""


class StaticEmbedding(nn.Module):
    """Replaces the last ``static`` features of windows, the same in all steps, by an embedding.

    A linear layer without bias over categories is an embedding of each, added to those of numbers.
    """

    def __init__(self, network: nn.Module, static: int) -> None:
        super().__init__()
        self.network = network
        self.embedding = nn.Linear(static, _COLUMNS, bias=False)
        self.static = static

    def forward(self, past: Tensor, future: Tensor, truth: Tensor | None = None) -> Tensor:
        """Embed, and call the network inside."""
        embedded = self.embedding(past[:, :1, -self.static :])
        past, future = (self._with(part, embedded) for part in (past, future))
        forecast: Tensor = self.network(past, future, truth)
        return forecast

    def _with(self, rows: Tensor, embedded: Tensor) -> Tensor:
        static = embedded.expand(-1, rows.shape[1], -1)
        return torch.cat([rows[..., : -self.static], static], 2)


def with_static(
    build: Callable[[SeriesShape], nn.Module], shape: SeriesShape, static: int
) -> nn.Module:
    """Return what ``build`` makes of ``shape``, whose last ``static`` features are embedded."""
    if static <= _COLUMNS:
        return build(shape)
    inner = replace(shape, features=shape.features - static + _COLUMNS)
    return StaticEmbedding(build(inner), static)
