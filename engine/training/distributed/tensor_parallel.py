"""Tensor parallelism (Shoeybi et al. 2019): the layers of a transformer split between processes.

Each process has its columns or rows of the large matrices and computes them for the whole batch.
Which layer is split how is the plan that transformers has for an architecture, and the splitting
is that of transformers (:mod:`engine.training.distributed.tensor_plan`); the losses are those of
one process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim.optimizer import Optimizer
from typing_extensions import override

from engine.hardware.device import Compute
from engine.training.distributed.process_group import Reduced, Weights
from engine.training.distributed.row_shares import RowShares
from engine.training.distributed.sharded import Sharded, ShardedState, entire, place
from engine.training.distributed.tensor_plan import plan_of, split


class TensorParallel(Sharded):
    """A process of several that each compute a part of every layer."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__(rank, size)
        self.rows = RowShares()
        self._partial: list[nn.Parameter] = []

    @override
    def shard(
        self, network: nn.Module, device: torch.device, weights: Weights | None = None
    ) -> nn.Module:
        """Split ``network``, which is on the CPU, and move this process's part to ``device``.

        Raises :class:`~engine.errors.TrainingError` where its architecture has no plan.
        """
        plan = plan_of(network, self.size)
        partial = split(network, plan, self.mesh(network, device))
        placed = place(network, device, weights)
        self._partial = [placed.get_parameter(name) for name in partial]
        return placed

    @override
    def state(self, network: nn.Module, optimizer: Optimizer, compute: Compute) -> ShardedState:
        _update_apart(optimizer)
        return super().state(network, optimizer, compute)

    @override
    def reduce(
        self,
        network: nn.Module,
        losses: Sequence[Tensor],
        weights: Sequence[float],
        failed: bool = False,
    ) -> Reduced | None:
        """Sum the gradients that are partial; all others are whole, or a part of this process."""
        reduced = super().reduce(network, losses, weights, failed)
        gradients = [part.grad for part in self._partial if part.grad is not None]
        if reduced is not None and gradients:
            self._sum_together(gradients)
        return reduced

    @override
    def clip(self, parameters: Sequence[nn.Parameter], limit: float) -> Tensor:
        """Clip the gradients of split weights and of whole ones, which torch does not mix."""
        parts = _apart(part for part in parameters if part.grad is not None)
        gradients = [[p.grad for p in part if p.grad is not None] for part in parts]
        norms = [entire(nn.utils.get_total_norm(part)) for part in gradients]
        norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
        for part in parts:
            nn.utils.clip_grads_with_norm_(part, limit, norm)
        return norm


def _apart(parameters: Iterable[nn.Parameter]) -> list[list[nn.Parameter]]:
    """Return the split parameters and the whole ones, of which each may be missing."""
    kinds: dict[bool, list[nn.Parameter]] = {}
    for parameter in parameters:
        kinds.setdefault(isinstance(parameter, DTensor), []).append(parameter)
    return list(kinds.values())


def _update_apart(optimizer: Optimizer) -> None:
    """Let torch's kernels for many tensors update split weights apart from whole ones.

    Only for the update: the groups in checkpoints are those of one process.
    """
    groups = optimizer.param_groups

    def part(optimizer: Optimizer, *_: Any) -> None:
        optimizer.param_groups = [
            group | {"params": part} for group in groups for part in _apart(group["params"])
        ]

    def join(optimizer: Optimizer, *_: Any) -> None:
        optimizer.param_groups = groups

    optimizer.register_step_pre_hook(part)
    optimizer.register_step_post_hook(join)
