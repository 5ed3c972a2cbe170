"""A network that no process has as a whole: each keeps a share of every weight, of its gradient
and of the optimizer's state (fully sharded data parallel; Rajbhandari et al. 2020, Zhao et al.
2023). Its repeated blocks are put together one by one, each for as long as it computes.

As any pass through such a network needs all processes, all evaluate, each the same samples; what
the leading one finds counts.

Checkpoints are those of any other run: weights and optimizer state are put together one tensor
after another, the leading process writes them, and whoever loads takes its share of what it reads.
Files of torch.distributed.checkpoint, one a process, would be written by all at once; but then
there were two formats with two sets of promises. This way a checkpoint is whole or not there, has
its checksum, and is gone on from with any number of processes, sharded or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from engine.config.compute import Kernel
from engine.config.run_config import RunConfig
from engine.config.train import TrainConfig
from engine.errors import TrainingError
from engine.hardware.device import Compute
from engine.training.non_finite import batch_statistics
from engine.training.process_group import Group, T, among_peers
from engine.training.state import TrainingState, trained_weights

_WITHIN = "within"
"""A method that networks are given, which does what it is told while its weights are there."""


class Sharded(Group):
    """A process among several that share one network between them."""

    sharded = True

    def shard(self, network: nn.Module, device: torch.device) -> nn.Module:
        """Keep this process's share of ``network``, on ``device``; it lies on the CPU before.

        Raises :class:`TrainingError`.
        """
        for name, weight in network.named_parameters():
            if weight.ndim == 0:
                raise TrainingError(
                    f"train.strategy fsdp: {name} of this network is a single number, which "
                    "cannot be shared out.",
                    "Choose ddp.",
                )
        super().align(network)
        mesh = init_device_mesh(device.type, (self.size,))
        for part in (*blocks(network), network):
            fully_shard(part, mesh=mesh)
        # What is left: buffers that belong to no block.
        network.to(device)
        for part in network.modules():
            if isinstance(part, FSDPModule):
                # The losses are weighted already, so that gradients only add up.
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)
        setattr(network, _WITHIN, _done)
        register_fsdp_forward_method(network, _WITHIN)
        return network

    def within(self, network: nn.Module, deed: Callable[[], T]) -> T:
        """As :meth:`Alone.within`: the weights outside of all blocks are there, and in training
        until their gradients are.
        """
        done: T = getattr(network, _WITHIN)(deed)
        return done

    def _part(self, rows: Tensor, least: int) -> Tensor:
        """As of a :class:`Group`, but the network needs a pass of every process."""
        return rows[:least] if self.idle(rows, least) else super()._part(rows, least)

    def idle(self, rows: Tensor, least: int) -> bool:
        """As :meth:`Alone.idle`."""
        return self.rank >= max(1, len(rows) // least)

    def total(self, weight: float) -> float:
        """As :meth:`Alone.total`."""
        known = torch.tensor(weight, dtype=torch.float64)
        self._sum(known)
        return float(known)

    def align(self, network: nn.Module) -> None:
        """They were aligned as a whole; what was loaded since, all read from one file."""

    def reduce(
        self, network: nn.Module, losses: Sequence[Tensor], weights: Sequence[float]
    ) -> tuple[Sequence[Tensor], Sequence[float]]:
        """As :meth:`Alone.reduce`; the gradients are so already."""
        sums = [loss.double() * weight for loss, weight in zip(losses, weights, strict=True)]
        own = torch.stack(sums).sum()
        known = torch.stack([own, torch.full_like(own, sum(weights))])
        self._sum(known)
        statistics = batch_statistics(network)
        if statistics:
            torch._foreach_div_(statistics, self.size)
            self._sum_together(statistics)
        return [(known[0] / known[1]).float()], [float(known[1])]

    def entire(self, value: Tensor) -> Tensor:
        """As :meth:`Alone.entire`."""
        return value.full_tensor() if isinstance(value, DTensor) else value

    def decided(self, here: bool) -> bool:
        """As :meth:`Alone.decided`."""
        return bool(self.told({"yes": here})["yes"])

    def call(self, deed: str) -> None:
        """As :meth:`Alone.call`."""
        if self.leads:
            self.told({"do": deed})

    def gathered(self, value: Any) -> Any:
        """``value`` with whole tensors on the CPU; the leading process alone keeps them."""
        if isinstance(value, Tensor):
            whole = self.entire(value.detach())
            # What is not shared out is the network's own, which goes on changing.
            return whole.to("cpu", copy=not isinstance(value, DTensor)) if self.leads else None
        if isinstance(value, dict):
            return {key: self.gathered(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self.gathered, value))
        return value


@dataclass
class ShardedState(TrainingState):
    """As a :class:`TrainingState`, saved and loaded as a whole; only the leader has ``best``."""

    group: Sharded | None = None
    owned = True

    @property
    def _group(self) -> Sharded:
        assert self.group is not None
        return self.group

    def state_dict(self) -> dict[str, Any]:
        """As :meth:`TrainingState.state_dict`; complete in the leading process, which calls the
        others to help.
        """
        self._group.call("state")
        state = super().state_dict()
        return state | {
            part: self._group.gathered(state[part]) for part in ("network", "optimizer")
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Become this process's share of what was saved as a whole."""
        optimizer = saved["optimizer"]
        weights = [part for group in self.optimizer.param_groups for part in group["params"]]
        numbers = [number for group in optimizer["param_groups"] for number in group["params"]]
        shares = {
            number: {
                name: _share(value, weight) for name, value in optimizer["state"][number].items()
            }
            for number, weight in zip(numbers, weights, strict=True)
            if number in optimizer["state"]
        }
        super().load_state_dict(saved | {"optimizer": optimizer | {"state": shares}})
        # Pieces of a batch are as many in each process, and none knows of another's memory.
        self.position.pieces = 1
        if not self._group.leads:
            self.best = None

    def weights(self) -> dict[str, Tensor]:
        """As :meth:`TrainingState.weights`, by all processes at once."""
        whole: dict[str, Tensor] = self._group.gathered(trained_weights(self.network))
        return whole

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """As :meth:`TrainingState.load_weights`."""
        _put_away(self.network)
        own = self.network.state_dict()
        super().load_weights(
            {
                name: _share(value, own[name]) if name in own else value
                for name, value in weights.items()
            }
        )

    def take_best(self) -> None:
        """As :meth:`TrainingState.take_best`: the leader sends them."""
        if not self._group.decided(self.best is not None):
            return
        best = self.best.weights if self.best is not None and self._group.leads else {}
        sent = {}
        for name, own in trained_weights(self.network).items():
            whole = best.get(name, torch.empty(own.shape, dtype=own.dtype))
            with among_peers():
                dist.broadcast(whole, 0)
            sent[name] = _share(whole, own)
        self.load_weights(sent)


def _done(deed: Callable[[], T]) -> T:
    return deed()


def blocks(network: nn.Module) -> list[nn.Module]:
    """The parts that a network repeats: of its outermost lists, what has weights of its own."""
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
    """Whether it has weights, and none of them is used elsewhere too."""
    own = {name for name, _ in part.named_parameters(remove_duplicate=False)}
    weights = {id(weight) for weight in part.parameters()}
    everywhere = [weight for _, weight in network.named_parameters(remove_duplicate=False)]
    return bool(own) and sum(id(weight) in weights for weight in everywhere) == len(own)


def _share(value: Any, like: Any) -> Any:
    """This process's share of a whole tensor, if ``like`` is one of a tensor of this shape."""
    if not isinstance(like, DTensor) or not isinstance(value, Tensor):
        return value
    if isinstance(value, DTensor) or value.shape != like.shape:
        return value
    whole = value.to(like.device)
    # Nobody sends anything: each has the whole and takes its share.
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)


def _put_away(network: nn.Module) -> None:
    """After an evaluation, the outermost weights are still there as a whole."""
    for part in network.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def kernel(train: TrainConfig) -> Kernel:
    """The fastest way over weights that torch knows to go share by share."""
    return "foreach" if train.optimizer == "sgd" else "auto"


def check(config: RunConfig, compute: Compute) -> None:
    """Whether a network can be sharded as a run asks for; raises :class:`TrainingError`."""
    train = config.train
    refused = {
        "adapter.quantization: packed weights cannot be": config.adapter.quantized,
        "train.optimizer: blocks of eight bits cannot be": train.optimizer not in ("adamw", "sgd"),
        "compute.precision: gradients in float16 cannot be": compute.dtype == torch.float16,
        "train.auto_batch_size: a batch cannot be measured for networks":
            train.auto_batch_size,
        "compute.optimizer_kernel: what the fused kernel of SGD updates":
            train.optimizer == "sgd" and config.compute.optimizer_kernel == "fused",
        "compute.compile: compiled networks cannot be": config.compute.compile,
    }  # fmt: skip
    for what, found in refused.items():
        if found:
            raise TrainingError(
                f"{what} shared out by train.strategy fsdp.", "Choose ddp, or change the field."
            )
