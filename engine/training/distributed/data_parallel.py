"""Data-parallel training (DDP): each process holds everything and computes its rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.hardware.device import Compute
from engine.torch_private import foreach_div_
from engine.training.checkpoints.state import TrainingState
from engine.training.distributed.gradient_buckets import GradientBuckets
from engine.training.distributed.process_group import ProcessGroup, Reduced, split_into
from engine.training.distributed.sums import fastest_sums
from engine.training.optimization.non_finite import batch_statistics

_BESIDE = 1 << 20
"""Bytes that are summed beside the gradients, about."""


class DataParallel(ProcessGroup):
    """A process of several that each have the whole network."""

    @override
    def state(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, compute: Compute
    ) -> TrainingState:
        trained = (part for part in network.parameters() if part.requires_grad)
        self._buckets = GradientBuckets(trained)
        needed = self._buckets.nbytes + _BESIDE
        self._buckets.sums = fastest_sums(self.rank, self.size, compute.device, needed)
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
        statistics = batch_statistics(network)
        if statistics:
            foreach_div_(statistics, self.size)
        device = next(network.parameters()).device
        loss = torch.zeros((), device=device)
        for own, weight in zip(losses, weights, strict=True):
            loss += own.float() * weight
        total = self._finish(failed, [loss, *statistics], device)
        return None if total is None else ([loss / total], [total])

    def _finish(self, failed: bool, beside: Sequence[Tensor], device: torch.device) -> float | None:
        """Sum gradients and what is ``beside`` them; learn what the main process announced."""
        announced = torch.tensor([float(self.decides)])
        if device.type != "cpu":
            total = self._buckets.finish(failed, announced)
            if total is not None:
                self._sum_together(beside)
        else:
            # With what the processes tell each other anyway: each sum is a wait for all.
            known = torch.cat([announced, *(part.flatten() for part in beside)])
            total = self._buckets.finish(failed, known)
            announced, sums = known[:1], known[1:]
            if total is not None:
                split_into(sums, beside)
        self.decides = bool(announced.item())
        return total
