"""Fully sharded data parallel (FSDP; Rajbhandari et al. 2020, Zhao et al. 2023).

Each process holds a shard of every weight, of its gradient and of the optimizer's state. The
network's repeated blocks are gathered one by one, each for as long as it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    OffloadPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from typing_extensions import override

from engine.errors import TrainingError
from engine.models.weights.blocks import blocks
from engine.torch_private import foreach_div_
from engine.training.distributed.process_group import Reduced, T, Weights
from engine.training.distributed.row_shares import RowShares
from engine.training.distributed.sharded import Sharded, place
from engine.training.optimization.non_finite import batch_statistics

_CPU = torch.device("cpu")
_WITHIN = "within"
"""A method added to networks that calls a function while the weights are gathered."""


class FullySharded(Sharded):
    """A process of several that share one network by FSDP2."""

    gathers = True

    def __init__(self, rank: int, size: int, offload: bool = False) -> None:
        """With ``offload``, shards, gradients and the optimizer's state are in main memory."""
        super().__init__(rank, size)
        # The network needs all processes in each forward pass.
        self.rows = RowShares(rank, size, all_compute=True)
        self._offload = offload

    @override
    def shard(
        self, network: nn.Module, device: torch.device, weights: Weights | None = None
    ) -> nn.Module:
        """Shard ``network``, which is on the CPU, and move this process's shard to ``device``.

        Raises :class:`TrainingError`.
        """
        for name, weight in network.named_parameters():
            if weight.ndim == 0:
                raise TrainingError(
                    f"train.strategy fsdp: {name} of this network is a single number, which "
                    "cannot be sharded.",
                    "Choose ddp.",
                )
        # Torch shards contiguous weights alone, which those of convolutions are not everywhere.
        network = network.to(memory_format=torch.contiguous_format)
        mesh = self.mesh(network, device)
        policy = CPUOffloadPolicy(pin_memory=device.type == "cuda") if self._offload else None
        for part in (*blocks(network), network):
            fully_shard(part, mesh=mesh, offload_policy=policy or OffloadPolicy())
        place(network, device, weights, parameters=_CPU if self._offload else device)
        for part in network.modules():
            if isinstance(part, FSDPModule):
                # The losses are weighted already, so gradients are summed, not averaged.
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)
        setattr(network, _WITHIN, _done)
        register_fsdp_forward_method(network, _WITHIN)
        return network

    @override
    def within(self, network: nn.Module, operation: Callable[[], T]) -> T:
        """Call ``operation`` with the weights outside of all blocks gathered.

        In training they stay so until their gradients are computed.
        """
        done: T = getattr(network, _WITHIN)(operation)
        return done

    @override
    def total(self, weight: float) -> float:
        known = torch.tensor(weight, dtype=torch.float64)
        self._sum(known)
        return float(known)

    @override
    def reduce(
        self,
        network: nn.Module,
        losses: Sequence[Tensor],
        weights: Sequence[float],
        failed: bool = False,
    ) -> Reduced | None:
        """Sum losses and statistics; the gradients are reduced already."""
        if super().reduce(network, losses, weights, failed) is None:
            return None
        sums = [loss.double() * weight for loss, weight in zip(losses, weights, strict=True)]
        own = torch.stack(sums).sum()
        known = torch.stack([own, torch.full_like(own, sum(weights))])
        self._sum(known)
        statistics = batch_statistics(network)
        if statistics:
            foreach_div_(statistics, self.size)
            self._sum_together(statistics)
        return [(known[0] / known[1]).float()], [float(known[1])]

    @override
    def release(self, network: nn.Module) -> None:
        """Reshard: after an evaluation, the outermost weights are still gathered."""
        for part in network.modules():
            if isinstance(part, FSDPModule):
                part.reshard()


def _done(operation: Callable[[], T]) -> T:
    return operation()
