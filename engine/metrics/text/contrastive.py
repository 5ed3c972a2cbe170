"""Loss functions of vectors: in-batch negatives, and the cosine or the order of scored pairs.

In-batch negatives: InfoNCE (van den Oord et al. 2018), as MultipleNegativesRankingLoss of
sentence-transformers. CoSENT: Su 2022. Matryoshka: Kusupati et al. 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

COSENT_SCALE = 20.0


@dataclass(frozen=True, slots=True)
class TextKeys:
    """A number for each text of a batch, equal for equal texts."""

    anchors: Tensor
    """``[rows]``."""
    passages: Tensor
    """``[rows, columns]``: the positives come first."""


@dataclass(frozen=True, slots=True)
class InBatchNegatives:
    """The cross-entropy of each anchor's positive among all passages of the batch."""

    temperature: float
    symmetric: bool
    """Whether each positive's anchor among all anchors is learned too."""

    def __call__(self, anchors: Tensor, passages: Sequence[Tensor], keys: TextKeys) -> Tensor:
        """Return the mean over the rows, of vectors ``[rows, size]`` of any length."""
        unit = functional.normalize(anchors, dim=1)
        columns = [functional.normalize(column, dim=1) for column in passages]
        return self._loss(unit, torch.cat(columns), keys, columns[0])

    def _loss(self, unit: Tensor, others: Tensor, keys: TextKeys, positives: Tensor) -> Tensor:
        rows = torch.arange(len(unit), device=unit.device)
        same = _equal_meaning(keys)
        with torch.autocast(unit.device.type, enabled=False):
            scores = (unit @ others.T / self.temperature).masked_fill(same, -torch.inf)
            loss = functional.cross_entropy(scores, rows)
            if not self.symmetric:
                return loss
            # An anchor that means the same as the right one is not a wrong one.
            among_positives = same[:, : len(unit)].T
            scores = (positives @ unit.T / self.temperature).masked_fill(
                among_positives, -torch.inf
            )
            return (loss + functional.cross_entropy(scores, rows)) / 2


def _equal_meaning(keys: TextKeys) -> Tensor:
    """Return where a passage is not a negative of an anchor, ``[rows, rows × columns]``.

    These are texts equal to its positive or to itself, and positives of an equal anchor. The row's
    own positive is left out: it is the target.
    """
    own = keys.passages[:, 0]
    candidates = keys.passages.T.flatten()
    same = (candidates == own[:, None]) | (candidates == keys.anchors[:, None])
    rows = len(own)
    same[:, :rows] |= keys.anchors[:, None] == keys.anchors
    same[:, :rows] &= ~torch.eye(rows, dtype=torch.bool, device=own.device)
    return same


def cosine_loss(anchors: Tensor, others: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error of the cosines of pairs."""
    return functional.mse_loss(functional.cosine_similarity(anchors, others), targets)


def cosent_loss(anchors: Tensor, others: Tensor, targets: Tensor) -> Tensor:
    """Return ln(1 + Σ exp(20 (cos of j − cos of i))) over the pairs i that should beat a pair j."""
    scores = functional.cosine_similarity(anchors, others) * COSENT_SCALE
    difference = scores[None] - scores[:, None]
    wrong = difference.masked_fill(~(targets[:, None] > targets[None]), -torch.inf)
    return torch.logsumexp(torch.cat([scores.new_zeros(1), wrong.flatten()]), 0)


Loss = Callable[[Sequence[Tensor]], Tensor]
"""A loss of the columns of vectors, each ``[rows, size]``."""


def matryoshka(loss: Loss, sizes: Sequence[int], weights: Sequence[float]) -> Loss:
    """Return the weighted sum of ``loss`` over vectors that are cut to each of ``sizes``.

    Without sizes it is ``loss`` itself.
    """
    if not sizes:
        return loss
    shares = list(weights) or [1.0] * len(sizes)

    def total(columns: Sequence[Tensor]) -> Tensor:
        parts = [
            share * loss([functional.normalize(column[:, :size], dim=1) for column in columns])
            for size, share in zip(sizes, shares, strict=True)
        ]
        return torch.stack(parts).sum()

    return total
