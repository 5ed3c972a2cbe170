"""Processes that share one sharded network, and its training state.

As any forward pass of such a network needs all processes, all evaluate, each on the same samples;
the results of the main process count.

Of a checkpoint, each process writes and loads its own part
(:mod:`engine.training.checkpoints.shards`). As any other, it is complete or absent and has its
checksums. It can be resumed with any number of processes, sharded or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, distribute_tensor
from typing_extensions import override

from engine.hardware.device import Compute
from engine.models.weights.placed_weights import named_weights, put
from engine.training.checkpoints import shards
from engine.training.checkpoints.checkpoint import WriteShards
from engine.training.checkpoints.state import TrainingState, finite_weights, on_cpu, trained_weights
from engine.training.distributed.process_group import PATIENCE, ProcessGroup, Weights
from engine.training.optimization.clipping import clip_gradients


class Sharded(ProcessGroup):
    """A process of several that share one sharded network."""

    sharded = True

    def mesh(self, network: nn.Module, device: torch.device) -> DeviceMesh:
        """Return the mesh of all processes, before ``network`` is sharded over it."""
        if all(weight.device.type != "meta" for weight in network.parameters()):
            super().align(network)
        # Beside that of the training, as checkpoints are written while it continues.
        self.writers = dist.new_group(backend="gloo", timeout=PATIENCE)
        return init_device_mesh(device.type, (self.size,))

    @override
    def state(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, compute: Compute
    ) -> ShardedState:
        del compute  # float16 is refused: there is no scaler
        return ShardedState(network, optimizer, group=self)

    @override
    def align(self, network: nn.Module) -> None:
        """Do nothing: weights were equal before sharding, and all processes load the same file."""

    @override
    def clip(self, parameters: Sequence[nn.Parameter], limit: float) -> Tensor:
        return entire(clip_gradients(parameters, limit))

    @override
    def decision(self, here: bool) -> bool:
        return bool(self.broadcast({"yes": here})["yes"])

    @override
    def call(self, operation: str) -> None:
        if self.leads:
            self.broadcast({"do": operation})

    def release(self, network: nn.Module) -> None:
        """Release what is gathered of ``network``, before its weights are replaced."""

    def gathered(self, value: Any) -> Any:
        """Return ``value`` with whole tensors on the CPU, in the main process alone."""
        if isinstance(value, Tensor):
            whole = entire(value.detach())
            # What is not sharded is the network's own, which continues to change.
            return whole.to("cpu", copy=not isinstance(value, DTensor)) if self.leads else None
        if isinstance(value, dict):
            return {key: self.gathered(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self.gathered, value))
        return value


def place(
    network: nn.Module,
    device: torch.device,
    weights: Weights | None,
    parameters: torch.device | None = None,
) -> nn.Module:
    """Return a sharded network on ``device``, with its shards of ``weights`` if it has none yet.

    Its parameters are on the device ``parameters``, if that is another one.
    """
    made: dict[int, Tensor] = {}
    for name, value in list(named_weights(network)):
        where = device if not isinstance(value, nn.Parameter) else parameters or device
        if id(value) not in made:
            made[id(value)] = value if weights is None else _empty(value, where)
        if weights is None and value.device != where:
            made[id(value)] = value.detach().to(where)
        put(network, name, made[id(value)])
    if weights is None:
        return network
    own = dict(named_weights(network))
    with torch.no_grad():
        for name, whole in weights:
            _local(own[name]).copy_(_local(_share(whole, own[name])))
    return network


def _empty(value: Tensor, device: torch.device) -> Tensor:
    """Return memory for a parameter, which stays one, or a buffer."""
    empty = torch.empty_like(value, device=device, requires_grad=False)
    return nn.Parameter(empty, value.requires_grad) if isinstance(value, nn.Parameter) else empty


def entire(value: Tensor) -> Tensor:
    """Return the whole of a tensor that may be sharded."""
    return value.full_tensor() if isinstance(value, DTensor) else value


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
        self.position.pieces = self.position.evaluation_pieces = 1
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
        self._group.release(self.network)
        super().load_weights(self._shares(weights))

    def _shares(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        own = self.network.state_dict()
        return {name: _share(value, own.get(name)) for name, value in weights.items()}


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _share(value: Any, like: Any) -> Any:
    """Return this process's shard of a whole tensor, if ``like`` is sharded in that shape."""
    if not isinstance(like, DTensor) or not isinstance(value, Tensor):
        return value
    if isinstance(value, DTensor) or value.shape != like.shape:
        return value
    whole = value.to(like.device)
    # No communication: each process has the whole tensor and takes its shard.
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)
