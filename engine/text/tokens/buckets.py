"""Batches of samples that are about equally long, so that little of them is padding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.batches.source import split_rows

_POOL = 50
"""Number of batches sorted by length together: random enough, and nearly no padding."""
_HEAVIEST = 2.0
"""Weight of a row at most, of the mean."""
_ROUNDS = 10


def shuffled_by_length(
    lengths: Tensor, batch_size: float, generator: torch.Generator, learned: Tensor | None = None
) -> list[Tensor]:
    """Row numbers of each batch; a pure function of the generator's state.

    Random pools of rows are sorted by length and cut, and the batches come in random order. With
    ``learned``, the number of learned tokens of each row, batches of a pool have about equally many
    of these, and ``batch_size`` rows on average: else a token of a short row would have many times
    the weight of one of a long row. With them, ``batch_size`` need not be a whole number.
    """
    rows = torch.randperm(len(lengths), generator=generator)
    batches: list[Tensor] = []
    for pool in split_rows(rows, math.ceil(batch_size * _POOL)):
        ordered = pool[lengths[pool].argsort(stable=True, descending=True)]
        batches += (
            split_rows(ordered, int(batch_size))
            if learned is None
            else _split_evenly(ordered, lengths[ordered], learned[ordered], batch_size)
        )
    order = torch.randperm(len(batches), generator=generator)
    return [batches[index] for index in order.tolist()]


def shuffled_evenly(
    lengths: Tensor, batch_size: float, generator: torch.Generator, learned: Tensor
) -> list[Tensor]:
    """Row numbers of each batch in random order, for batches without padding.

    Batches have about equally many learned tokens, and ``batch_size`` rows on average.
    """
    rows = torch.randperm(len(lengths), generator=generator)
    return _split_evenly(rows, lengths[rows], learned[rows], batch_size)


def _split_evenly(
    rows: Tensor, lengths: Tensor, learned: Tensor, batch_size: float
) -> list[Tensor]:
    """Split ``rows`` into as many batches as of ``batch_size``, of about equal weight.

    A row weighs its share of the learned tokens, or of all tokens where that is larger, so that no
    batch takes much more memory than others. It weighs at most twice the mean: batches of a few
    rows leave processes idle.
    """
    weights = torch.maximum(_shares(lengths), _shares(learned))
    for _ in range(_ROUNDS):  # each lowers the mean
        weights = weights.clamp(max=_HEAVIEST * float(weights.mean()))
    parts = _batches(rows, batch_size)
    sums = weights.cumsum(0)
    # The end of each part is the row whose middle is nearest to its share of the sum.
    shares = sums[-1] * torch.arange(1, parts, dtype=torch.float64) / parts
    ends = torch.searchsorted(sums - weights / 2, shares)
    steps = torch.arange(1, parts)
    ends = (ends - steps).cummax(0).values + steps  # each at least a row after the one before
    ends = torch.minimum(ends.clamp(min=steps), len(rows) - parts + steps)
    return list(torch.tensor_split(rows, ends))


def _batches(rows: Tensor, batch_size: float) -> int:
    if batch_size == int(batch_size):
        return len(split_rows(rows, int(batch_size)))
    return math.ceil(len(rows) / batch_size)


def _shares(counts: Tensor) -> Tensor:
    return counts.double() / counts.sum().clamp(min=1)


def sorted_by_length(lengths: Tensor, batch_size: int) -> list[Tensor]:
    """Row numbers of each batch, the longest first, so that what is too large shows at once."""
    return split_rows(lengths.argsort(stable=True, descending=True), batch_size)
