"""Data-parallel training (DDP) in several processes, each with a share of every batch.

The main process alone uses the clock, reads requests, evaluates and saves; the others follow it.
All make the same updates from the same gradients, so their weights stay equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import Store  # type: ignore[attr-defined]
from typing_extensions import override

from engine.batches.source import mixed
from engine.hardware.device import Compute
from engine.torch_private import foreach_copy_, foreach_div_, foreach_mul_
from engine.training.clipping import clip_gradients
from engine.training.non_finite import batch_statistics
from engine.training.peers import among_peers
from engine.training.row_shares import RowShares
from engine.training.state import TrainingState, trained_weights

T = TypeVar("T")
Weights = Iterable[tuple[str, Tensor]]
"""Whole weights and buffers by name."""
_BUCKET_BYTES = 1 << 25
"""Largest bucket of gradients in one all-reduce, in bytes."""
PATIENCE = timedelta(days=30)
"""Time-out of collectives: long, as others wait for evaluations; the watch on progress ends what
hangs (``train.stall_minutes``)."""


def join(rank: int, size: int, store: Store, device: torch.device) -> None:
    """Meet the other processes, through a store in which no other group has met.

    Raises :class:`~engine.training.peers.PeerLost`.
    """
    # Decisions are exchanged in CPU memory, on whatever device the network computes.
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    with among_peers():
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)


class SingleProcess:
    """A group of one."""

    rank = 0
    size = 1

    sharded = False
    """Whether the network is sharded, so that each forward pass needs all processes."""
    rows = RowShares()
    """The rows of each batch that this process computes."""

    @property
    def leads(self) -> bool:
        """Whether this is the main process, which decides and writes."""
        return self.rank == 0

    def reseed(self, seed: int, step: int) -> None:
        """Seed dropout differently in each process, as a function of the update."""

    def any(self, here: bool) -> bool:
        """Return whether ``here`` is true in at least one process."""
        return here

    def total(self, weight: float) -> float:
        """Return the weight that a backward pass divides by: the terms of the update known here."""
        return weight

    def shard(
        self, network: nn.Module, device: torch.device, weights: Weights | None = None
    ) -> nn.Module:
        """Return the network that this process trains: sharded and moved to ``device``, or as is.

        A network on the device ``meta`` gets its shards of ``weights``. Raises
        :class:`TrainingError`.
        """
        del device, weights
        return network

    def state(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, compute: Compute
    ) -> TrainingState:
        """Return the state before the first update."""
        return TrainingState(network, optimizer, compute.scaler())

    def align(self, network: nn.Module) -> None:
        """Broadcast the main process's weights."""

    def reduce(
        self, network: nn.Module, losses: Sequence[Tensor], weights: Sequence[float]
    ) -> tuple[Sequence[Tensor], Sequence[float]]:
        """Reduce gradients to those of the whole batch; returns its losses and their weights."""
        del network
        return losses, weights

    def within(self, network: nn.Module, operation: Callable[[], T]) -> T:
        """Call ``operation``, which uses weights of ``network`` other than by calling it."""
        del network
        return operation()

    def clip(self, parameters: Sequence[nn.Parameter], limit: float) -> Tensor:
        """Clip the gradients together to the maximum norm ``limit``; returns their norm."""
        return clip_gradients(parameters, limit)

    def decision(self, here: bool) -> bool:
        """Return the main process's decision where all need the same one; else ``here``."""
        return here

    def call(self, operation: str) -> None:
        """Call the other processes to join in an operation of the main process."""

    def broadcast(self, message: dict[str, Any]) -> dict[str, Any]:
        """Broadcast the main process's message."""
        return message

    def wait(self) -> None:
        """Wait for all processes (barrier)."""


class ProcessGroup(SingleProcess):
    """A process among several. Every method raises :class:`~engine.training.peers.PeerLost`."""

    def __init__(self, rank: int, size: int) -> None:
        """Be process ``rank`` of ``size``, which have met by :func:`join`."""
        self.rank = rank
        self.size = size
        self.rows = RowShares(rank, size)

    @override
    def reseed(self, seed: int, step: int) -> None:
        """Seed by replica and step: so one process's checkpoint suits all."""
        torch.manual_seed(mixed(seed, self.rows.replica, step))

    @override
    def any(self, here: bool) -> bool:
        flag = torch.tensor(float(here))
        self._sum(flag)
        return bool(flag.item())

    @override
    def align(self, network: nn.Module) -> None:
        with torch.no_grad(), among_peers():
            for value in trained_weights(network).values():
                dist.broadcast(value, 0)

    @override
    def reduce(
        self, network: nn.Module, losses: Sequence[Tensor], weights: Sequence[float]
    ) -> tuple[Sequence[Tensor], Sequence[float]]:
        """Reduce the gradients, each process weighted, as if there were only one.

        The statistics of batch norms, which see the rows of their process only, are averaged.
        """
        trained = [part for part in network.parameters() if part.requires_grad]
        gradients, own, total = self._gradients(trained, sum(weights))
        mean = sum(
            (loss * (weight / total) for loss, weight in zip(losses, weights, strict=True)),
            torch.zeros((), device=trained[0].device),
        )
        self._sum(mean)
        if gradients:
            foreach_mul_(gradients, own / total)
        statistics = batch_statistics(network)
        if statistics:
            foreach_div_(statistics, self.size)
        for bucket in _buckets([*gradients, *statistics]):
            self._sum_together(bucket)
        return [mean], [total]

    def _gradients(
        self, trained: Sequence[nn.Parameter], own: float
    ) -> tuple[list[Tensor], float, float]:
        """Return gradients present in any process, this process's weight, and the total weight."""
        flags = [float(part.grad is not None) for part in trained]
        known = torch.tensor([own, *flags], dtype=torch.float64)
        self._sum(known)
        total, *had = known.tolist()
        gradients = []
        for part, count in zip(trained, had, strict=True):
            if count and part.grad is None:
                part.grad = torch.zeros_like(part)
            if part.grad is not None:
                gradients.append(part.grad)
        return gradients, own, total

    def _sum_together(self, tensors: Sequence[Tensor]) -> None:
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        self._sum(flat)
        sizes = [tensor.numel() for tensor in tensors]
        parts = [
            part.view_as(tensor)
            for part, tensor in zip(torch.split(flat, sizes), tensors, strict=True)
        ]
        foreach_copy_(list(tensors), parts)

    def _sum(self, tensor: Tensor) -> None:
        with among_peers():
            dist.all_reduce(tensor)

    @override
    def broadcast(self, message: dict[str, Any]) -> dict[str, Any]:
        """Broadcast the main process's message, which JSON can represent."""
        text = json.dumps(message).encode() if self.leads else b""
        length = torch.tensor(len(text))
        with among_peers():
            dist.broadcast(length, 0)
            content = torch.frombuffer(bytearray(text or int(length)), dtype=torch.uint8)
            dist.broadcast(content, 0)
        said: dict[str, Any] = json.loads(content.numpy().tobytes())
        return said

    @override
    def wait(self) -> None:
        self.any(False)


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield buckets of tensors of one type each, small enough to be copied."""
    for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
        bucket: list[Tensor] = []
        for tensor in (tensor for tensor in tensors if tensor.dtype == kind):
            if bucket and sum(part.nbytes for part in bucket) + tensor.nbytes > _BUCKET_BYTES:
                yield bucket
                bucket = []
            bucket.append(tensor)
        yield bucket
