"""The processes that train together, and what they agree on.

The main process alone uses the clock, reads requests, evaluates and saves; the others follow it.
All make the same updates from the same gradients, so their weights stay equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import Store  # type: ignore[attr-defined]
from typing_extensions import override

from engine.batches.source import mixed
from engine.hardware.device import Compute
from engine.torch_private import foreach_copy_
from engine.training.checkpoints.peers import among_peers
from engine.training.checkpoints.state import TrainingState, trained_weights
from engine.training.distributed.row_shares import RowShares
from engine.training.optimization.clipping import clip_gradients

T = TypeVar("T")
Reduced = tuple[Sequence[Tensor], Sequence[float]]
"""Losses and their weights."""
Weights = Iterable[tuple[str, Tensor]]
"""Whole weights and buffers by name."""
_LENGTH, _SHORT = 8, 512
"""Bytes of the length of a message, and of what is sent at once."""
PATIENCE = timedelta(days=30)
"""Time-out of collectives: long, as others wait for evaluations; the watch on progress ends what
hangs (``train.stall_minutes``)."""


def join(rank: int, size: int, store: Store, device: torch.device) -> None:
    """Meet the other processes, through a store in which no other group has met.

    Raises :class:`~engine.training.checkpoints.peers.PeerLost`.
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
    gathers = False
    """Whether whole blocks of weights come and go in each update. Freed memory is not kept then:
    between what stays, it has no room for the next block, and the process grows by several times
    the network."""
    rows = RowShares()
    """The rows of each batch that this process computes."""
    decides = True
    """Whether the main process decides on something after this update."""

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

    def backward(self, loss: Tensor, last: bool) -> None:
        """Accumulate the gradients of ``loss``; ``last`` tells that the update has no more."""
        del last
        torch.autograd.backward(loss)

    def reduce(
        self,
        network: nn.Module,
        losses: Sequence[Tensor],
        weights: Sequence[float],
        failed: bool = False,
    ) -> Reduced | None:
        """Reduce gradients to those of the whole batch; returns its losses and their weights.

        ``None`` where the update ``failed`` in a process.
        """
        del network
        return None if failed else (losses, weights)

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
    """A process among several.

    Every method raises :class:`~engine.training.checkpoints.peers.PeerLost`.
    """

    def __init__(self, rank: int, size: int) -> None:
        """Be process ``rank`` of ``size``, which have met by :func:`join`."""
        self.rank = rank
        self.size = size
        self.rows = RowShares(rank, size)

    @override
    def reseed(self, seed: int, step: int) -> None:
        """Seed by replica and step: so one process's checkpoint suits all."""
        number = mixed(seed, self.rows.replica, step)
        # torch.manual_seed notes a stack trace at each call while CUDA is not in use.
        torch.default_generator.manual_seed(number)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.manual_seed_all(number)

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
        self,
        network: nn.Module,
        losses: Sequence[Tensor],
        weights: Sequence[float],
        failed: bool = False,
    ) -> Reduced | None:
        """Return losses and weights unless the update ``failed`` in a process."""
        flags = torch.tensor([float(failed), float(self.decides)])
        self._sum(flags)
        failures, self.decides = flags.bool().tolist()
        return super().reduce(network, losses, weights, failures)

    def _sum_together(self, tensors: Sequence[Tensor]) -> None:
        """Sum each tensor over the processes: few of them, small enough to be copied."""
        for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
            self._sum_of_kind([tensor for tensor in tensors if tensor.dtype == kind])

    def _sum_of_kind(self, tensors: Sequence[Tensor]) -> None:
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        self._sum(flat)
        split_into(flat, tensors)

    def _sum(self, tensor: Tensor) -> None:
        with among_peers():
            dist.all_reduce(tensor)

    @override
    def broadcast(self, message: dict[str, Any]) -> dict[str, Any]:
        """Broadcast the main process's message, which JSON can represent."""
        text = json.dumps(message).encode() if self.leads else b""
        # Most messages are short: they are sent together with their length.
        first = torch.zeros(_SHORT, dtype=torch.uint8)
        if self.leads:
            _put(first, len(text).to_bytes(_LENGTH, "little") + text[: _SHORT - _LENGTH])
        with among_peers():
            dist.broadcast(first, 0)
            sent = first.numpy().tobytes()
            rest = int.from_bytes(sent[:_LENGTH], "little") - (_SHORT - _LENGTH)
            more = torch.zeros(max(0, rest), dtype=torch.uint8)
            _put(more, text[_SHORT - _LENGTH :])
            if rest > 0:
                dist.broadcast(more, 0)
        content = sent[_LENGTH:] + more.numpy().tobytes()
        said: dict[str, Any] = json.loads(content[: rest + _SHORT - _LENGTH])
        return said

    @override
    def wait(self) -> None:
        self.any(False)


def split_into(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copy the numbers of ``flat`` into ``tensors``, one after another."""
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    foreach_copy_(list(tensors), [p.view_as(t) for p, t in zip(parts, tensors, strict=True)])


def _put(buffer: Tensor, content: bytes) -> None:
    """Write ``content`` at the beginning of a buffer of bytes."""
    if content:
        buffer[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
