"""The members of an ensemble that are worth keeping, chosen on rows they were not trained on.

Greedy forward selection after Caruana et al., "Ensemble Selection from Libraries of Models" (2004),
without repeats. How many are kept is decided by cross-validation within the same rows: the loss of
members on the rows that chose them is too low.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.fitted import Fitted
from engine.metrics.evaluator import Evaluation, Evaluator

Loss = Callable[[Tensor, Tensor], Tensor]
"""The loss of each row, ``[members, rows]``, from ``[members, rows, values]`` and targets."""
MOST = 16
"""Members that are tried at most; an ensemble that needs more is kept whole."""
FEWEST_ROWS = 500
"""With fewer rows the ensemble is kept whole: the choice would follow chance."""
_FOLDS = 5
_ROWS = 16_384
"""Rows that are kept; of more, every second, then every fourth, and so on."""


@dataclass(frozen=True)
class Selection:
    """Members in the order of their choice, and mean losses on the rows that chose them."""

    members: tuple[int, ...]
    loss: float
    whole: float
    """The loss of all members."""


def select_members(
    values: Tensor, targets: Tensor, loss: Loss, count: int | None = None
) -> Selection | None:
    """Choose ``count`` members, or by default the fewest that are not worse than all.

    ``values`` ``[members, rows, values]`` are such that those of an ensemble are their mean. By
    default, the cross-validated loss of the kept ones must be lower than that of all by a standard
    error of the difference, in pairs of rows. Returns ``None`` where all are to be kept.
    """
    whole = loss(values.mean(0, keepdim=True), targets)[0]
    if count is None:
        count = _enough(values, targets, loss, whole)
    if count is None or count >= len(values):
        return None
    chosen = _greedy(values, targets, loss, count)
    kept = loss(values[chosen].mean(0, keepdim=True), targets)
    return Selection(tuple(chosen), float(kept.mean()), float(whole.mean()))


def _enough(values: Tensor, targets: Tensor, loss: Loss, whole: Tensor) -> int | None:
    """Return the fewest members that are not worse than all, whose loss is ``whole``."""
    members, rows = values.shape[:2]
    most = min(MOST, members - 1)
    if rows < FEWEST_ROWS or most < 1:
        return None
    differences = torch.empty(most, rows, dtype=torch.float64)
    fold = torch.arange(rows) % _FOLDS
    for own in range(_FOLDS):
        inside, outside = fold == own, fold != own
        chosen = _greedy(values[:, outside], targets[outside], loss, most)
        counts = torch.arange(1, most + 1)[:, None, None]
        means = values[chosen][:, inside].cumsum(0) / counts
        differences[:, inside] = loss(means, targets[inside]) - whole[inside]
    error = differences.std(1) / rows**0.5
    better = (differences.mean(1) + error <= 0).nonzero().flatten().tolist()
    return better[0] + 1 if better else None


def _greedy(values: Tensor, targets: Tensor, loss: Loss, count: int) -> list[int]:
    """Return ``count`` members, each the one that makes the mean of those before it best."""
    chosen: list[int] = []
    total = torch.zeros_like(values[:1])
    while len(chosen) < count:
        losses = loss((total + values) / (len(chosen) + 1), targets).mean(1)
        losses[chosen] = torch.inf
        chosen.append(int(losses.nan_to_num(torch.inf).argmin()))
        total += values[chosen[-1]]
    return chosen


class MembersFit(Evaluator):
    """Collects the values of each member on evenly spread rows."""

    def __init__(
        self,
        forward: Callable[[nn.Module, Batch], Tensor],
        fit: Callable[[Tensor, Tensor], Fitted],
    ) -> None:
        """``forward`` gives ``[members, batch, values]``; ``fit`` gets those of the rows and
        their targets, and returns the state with the members that are kept."""
        self._forward, self._fit = forward, fit
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._every = 1
        self._seen = 0

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        first, count = -self._seen % self._every, len(batch.targets)
        self._seen += count
        chosen = slice(first, None, self._every)
        values = self._forward(network, batch).float()
        self._kept.append((values[:, chosen], batch.targets[chosen]))
        if sum(len(targets) for _, targets in self._kept) > _ROWS:
            values, targets = self._joined()
            self._kept = [(values[:, ::2], targets[::2])]
            self._every *= 2

    def compute(self, views: bool = False) -> Evaluation:
        """No metrics, but the members that are kept."""
        del views
        values, targets = self._joined()
        return Evaluation({}, fitted=self._fit(values.double().cpu(), targets.cpu()))

    def _joined(self) -> tuple[Tensor, Tensor]:
        values, targets = zip(*self._kept, strict=True)
        return torch.cat(values, 1), torch.cat(targets)
