"""Fits something on a network's outputs for a whole split, such as a temperature or bands."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.fitted import Fitted
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered


class OutputsFit(Evaluator):
    """Collects outputs and targets of all rows."""

    def __init__(
        self, forward: Callable[[nn.Module, Batch], Tensor], fit: Callable[[Tensor, Tensor], Fitted]
    ) -> None:
        """``fit`` gets outputs and targets, and returns the state with what was fitted."""
        self._forward, self._fit = forward, fit
        self._outputs, self._targets = Gathered(), Gathered()

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self._outputs.add(self._forward(network, batch).float())
        self._targets.add(batch.targets)

    def compute(self, views: bool = False) -> Evaluation:
        """No metrics, but what was fitted."""
        del views
        fitted = self._fit(self._outputs.joined(), self._targets.joined())
        return Evaluation({}, fitted=fitted)
