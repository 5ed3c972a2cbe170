"""Data-parallel training (DDP): each process holds everything and computes its rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.hardware.device import Compute
from engine.torch_private import foreach_div_
from engine.training.gradient_buckets import GradientBuckets
from engine.training.non_finite import batch_statistics
from engine.training.process_group import ProcessGroup, Reduced
from engine.training.state import TrainingState


class DataParallel(ProcessGroup):
    """A process of several that each have the whole network."""

    @override
    def state(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, compute: Compute
    ) -> TrainingState:
        trained = (part for part in network.parameters() if part.requires_grad)
        self._buckets = GradientBuckets(trained)
        return super().state(network, optimizer, compute)

    @override
    def total(self, weight: float) -> float:
        self._buckets.begin(weight)
        return weight

    @override
    def backward(self, loss: Tensor, last: bool) -> None:
        """Accumulate the gradients of ``loss``, and send them meanwhile if it is the last."""
        self._buckets.backward(loss, last)

    @override
    def reduce(
        self,
        network: nn.Module,
        losses: Sequence[Tensor],
        weights: Sequence[float],
        failed: bool = False,
    ) -> Reduced | None:
        """Reduce the gradients, each process weighted, as if there were only one.

        The statistics of batch norms, which see the rows of their process only, are averaged.
        """
        total = self._buckets.finish(failed)
        if total is None:
            return None
        mean = sum(
            (loss * (weight / total) for loss, weight in zip(losses, weights, strict=True)),
            torch.zeros((), device=next(network.parameters()).device),
        )
        statistics = batch_statistics(network)
        if statistics:
            foreach_div_(statistics, self.size)
        self._sum_together([mean, *statistics])
        return [mean], [total]
