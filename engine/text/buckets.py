"""Batches of samples that are about equally long, so that little of them is padding."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.batches.source import split_rows

_POOL = 50
"""Number of batches sorted by length together: random enough, and nearly no padding."""


def shuffled_by_length(
    lengths: Tensor, batch_size: int, generator: torch.Generator
) -> list[Tensor]:
    """Row numbers of each batch; a pure function of the generator's state.

    Random pools of rows are sorted by length and cut, and the batches come in random order.
    """
    rows = torch.randperm(len(lengths), generator=generator)
    batches: list[Tensor] = []
    for pool in split_rows(rows, batch_size * _POOL):
        ordered = pool[lengths[pool].argsort(stable=True, descending=True)]
        batches += split_rows(ordered, batch_size)
    order = torch.randperm(len(batches), generator=generator)
    return [batches[index] for index in order.tolist()]


def sorted_by_length(lengths: Tensor, batch_size: int) -> list[Tensor]:
    """Row numbers of each batch, the longest first, so that what is too large shows at once."""
    return split_rows(lengths.argsort(stable=True, descending=True), batch_size)
