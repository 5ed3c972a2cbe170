"""Fully sharded data parallel (FSDP; Rajbhandari et al. 2020, Zhao et al. 2023).

Each process holds a shard of every weight, of its gradient and of the optimizer's state. The
network's repeated blocks are gathered one by one, each for as long as it computes.

As any forward pass of such a network needs all processes, all evaluate, each on the same samples;
the results of the main process count.

Of a checkpoint, each process writes and loads its own part (:mod:`engine.training.shards`). As any
other, it is complete or absent and has its checksums. It can be resumed with any number of
processes, sharded or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from typing_extensions import override

from engine.errors import TrainingError
from engine.hardware.device import Compute
from engine.torch_private import foreach_div_
from engine.training import shards
from engine.training.checkpoint import WriteShards
from engine.training.non_finite import batch_statistics
from engine.training.process_group import PATIENCE, ProcessGroup, T
from engine.training.state import TrainingState, finite_weights, on_cpu, trained_weights

_WITHIN = "within"
"""A method added to networks that calls a function while the weights are gathered."""


class Sharded(ProcessGroup):
    """A process of several that share one sharded network."""

    sharded = True

    @override
    def shard(self, network: nn.Module, device: torch.device) -> nn.Module:
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
        super().align(network)
        mesh = init_device_mesh(device.type, (self.size,))
        # Beside that of the training, as checkpoints are written while it continues.
        self.writers = dist.new_group(backend="gloo", timeout=PATIENCE)
        for part in (*blocks(network), network):
            fully_shard(part, mesh=mesh)
        # The rest: buffers that belong to no block.
        network.to(device)
        for part in network.modules():
            if isinstance(part, FSDPModule):
                # The losses are weighted already, so gradients are summed, not averaged.
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)
        setattr(network, _WITHIN, _done)
        register_fsdp_forward_method(network, _WITHIN)
        return network

    @override
    def state(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, compute: Compute
    ) -> ShardedState:
        del compute  # float16 is refused: there is no scaler
        return ShardedState(network, optimizer, group=self)

    @override
    def within(self, network: nn.Module, operation: Callable[[], T]) -> T:
        """Call ``operation`` with the weights outside of all blocks gathered.

        In training they stay so until their gradients are computed.
        """
        done: T = getattr(network, _WITHIN)(operation)
        return done

    def _part(self, rows: Tensor, least: int) -> Tensor:
        """Return at least ``least`` rows, as the network needs all processes."""
        return rows[:least] if self.idle(rows, least) else super()._part(rows, least)

    @override
    def idle(self, rows: Tensor, least: int) -> bool:
        return self.rank >= max(1, len(rows) // least)

    @override
    def total(self, weight: float) -> float:
        known = torch.tensor(weight, dtype=torch.float64)
        self._sum(known)
        return float(known)

    @override
    def align(self, network: nn.Module) -> None:
        """Do nothing: weights were equal before sharding, and all processes load the same file."""

    @override
    def reduce(
        self, network: nn.Module, losses: Sequence[Tensor], weights: Sequence[float]
    ) -> tuple[Sequence[Tensor], Sequence[float]]:
        """Sum losses and statistics; the gradients are reduced already."""
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
    def entire(self, value: Tensor) -> Tensor:
        return value.full_tensor() if isinstance(value, DTensor) else value

    @override
    def decision(self, here: bool) -> bool:
        return bool(self.broadcast({"yes": here})["yes"])

    @override
    def call(self, operation: str) -> None:
        if self.leads:
            self.broadcast({"do": operation})

    def gathered(self, value: Any) -> Any:
        """Return ``value`` with whole tensors on the CPU, in the main process alone."""
        if isinstance(value, Tensor):
            whole = self.entire(value.detach())
            # What is not sharded is the network's own, which continues to change.
            return whole.to("cpu", copy=not isinstance(value, DTensor)) if self.leads else None
        if isinstance(value, dict):
            return {key: self.gathered(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self.gathered, value))
        return value


@dataclass
class ShardedState(TrainingState):
    """A training state of which each process has its shards, also of the best weights."""

    group: Sharded | None = None

    @property
    def _group(self) -> Sharded:
        assert self.group is not None
        return self.group

    @override
    def finite(self) -> bool:
        own = {name: _local(value) for name, value in trained_weights(self.network).items()}
        return not self._group.any(not finite_weights(own))

    @override
    def split(self, state: dict[str, Any]) -> tuple[dict[str, Any], WriteShards]:
        rest, tensors = shards.split(state)
        writer = shards.ShardWriter(self._group.rank, self._group.writers)
        return rest, partial(writer.write, tensors=tensors)

    @override
    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load this process's shards of a state, which may be a whole one."""
        if "shards" in saved:
            saved = shards.read(saved, Path(saved["shards"]), self._room(saved["optimizer"]))
        optimizer = saved["optimizer"]
        weights = self._trained()
        numbers = [number for group in optimizer["param_groups"] for number in group["params"]]
        shares = {
            number: {
                name: _share(value, weight) for name, value in optimizer["state"][number].items()
            }
            for number, weight in zip(numbers, weights, strict=True)
            if number in optimizer["state"]
        }
        super().load_state_dict(saved | {"optimizer": optimizer | {"state": shares}})
        # Each process has the same number of micro-batches and does not know the others' memory.
        self.position.pieces = 1
        if self.best is not None:
            self.best.weights = on_cpu(self._shares(self.best.weights))

    def _trained(self) -> list[nn.Parameter]:
        return [part for group in self.optimizer.param_groups for part in group["params"]]

    def _room(self, optimizer: dict[str, Any]) -> shards.Fill:
        """Return a function that makes room for a tensor: like the weight that it belongs to."""
        numbers = [number for group in optimizer["param_groups"] for number in group["params"]]
        like: dict[str, Tensor] = {}
        for name, value in self.network.state_dict().items():
            like[f"/network/{name}"] = like[f"/best/weights/{name}"] = value
        for number, weight in zip(numbers, self._trained(), strict=True):
            like[f"/optimizer/state/{number}"] = weight

        def room(name: str, empty: Tensor) -> Tensor:
            own = like.get(name, like.get(name.rpartition("/")[0]))
            if own is None or own.shape != empty.shape:
                return shards.whole(name, empty)
            return torch.empty_like(own, dtype=empty.dtype, requires_grad=False)

        return room

    @override
    def whole_weights(self) -> dict[str, Tensor]:
        whole: dict[str, Tensor] = self._group.gathered(trained_weights(self.network))
        return whole

    @override
    def load_weights(self, weights: dict[str, Tensor]) -> None:
        _put_away(self.network)
        super().load_weights(self._shares(weights))

    def _shares(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        own = self.network.state_dict()
        return {name: _share(value, own.get(name)) for name, value in weights.items()}


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _done(operation: Callable[[], T]) -> T:
    return operation()


def blocks(network: nn.Module) -> list[nn.Module]:
    """Return the repeated blocks of a network: parts of its outermost lists with own weights."""
    return [part for part in _listed(network) if _apart(part, network)]


def _listed(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(module, nn.ModuleList | nn.Sequential) and not isinstance(
            child, nn.ModuleList | nn.ModuleDict
        ):
            yield child
        else:
            yield from _listed(child)


def _apart(part: nn.Module, network: nn.Module) -> bool:
    """Return whether it has weights, none of them shared with other parts."""
    own = {name for name, _ in part.named_parameters(remove_duplicate=False)}
    weights = {id(weight) for weight in part.parameters()}
    everywhere = [weight for _, weight in network.named_parameters(remove_duplicate=False)]
    return bool(own) and sum(id(weight) in weights for weight in everywhere) == len(own)


def _share(value: Any, like: Any) -> Any:
    """Return this process's shard of a whole tensor, if ``like`` is sharded in that shape."""
    if not isinstance(like, DTensor) or not isinstance(value, Tensor):
        return value
    if isinstance(value, DTensor) or value.shape != like.shape:
        return value
    whole = value.to(like.device)
    # No communication: each process has the whole tensor and takes its shard.
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)


def _put_away(network: nn.Module) -> None:
    """Reshard: after an evaluation, the outermost weights are still gathered."""
    for part in network.modules():
        if isinstance(part, FSDPModule):
            part.reshard()
