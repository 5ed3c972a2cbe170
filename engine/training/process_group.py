"""Several processes that train one network: each a share of every batch.

One leads: it alone looks at the clock, listens, evaluates and saves, and the others do as it says.
All make the same updates from the same gradients, so their weights stay equal.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import FileStore, TCPStore  # type: ignore[attr-defined]

from engine.batches.source import mixed
from engine.errors import TrainingError
from engine.training.non_finite import batch_statistics
from engine.training.state import trained_weights

T = TypeVar("T")
_BUCKET_BYTES = 1 << 25
"""Gradients travel together up to this size."""
_GLOO = "gloo/transport"
"""In what gloo says of a connection that broke."""
_PATIENCE = timedelta(days=30)
"""The others wait while the leader evaluates; whether it lives, the process above looks at."""
_MEETING = timedelta(minutes=5)
"""Time for all processes to start."""


class PeerLost(Exception):
    """Another process of the group is gone, and tells itself why."""


class Alone:
    """A group of one."""

    rank = 0
    size = 1

    sharded = False
    """Whether the network is shared out, so that each pass through it needs all processes."""

    @property
    def leads(self) -> bool:
        """Whether this process decides and writes."""
        return self.rank == 0

    def share(self, plan: Sequence[Tensor], least: int) -> Sequence[Tensor]:
        """This process's rows of each batch: none, where others have but ``least`` each."""
        del least
        return plan

    def idle(self, rows: Tensor, least: int) -> bool:
        """Whether its share of a batch is of no weight: it keeps others company only."""
        del rows, least
        return False

    def reseed(self, seed: int, step: int) -> None:
        """Make dropout another one in each process, as a function of the update."""

    def any(self, here: bool) -> bool:
        """Whether it holds in at least one process."""
        return here

    def total(self, weight: float) -> float:
        """What a backward pass weighs its losses by: the terms of the update that it knows of."""
        return weight

    def align(self, network: nn.Module) -> None:
        """Give all processes the leader's weights."""

    def reduce(
        self, network: nn.Module, losses: Sequence[Tensor], weights: Sequence[float]
    ) -> tuple[Sequence[Tensor], Sequence[float]]:
        """Make each gradient that of the whole batch; returns its losses and their weights."""
        del network
        return losses, weights

    def within(self, network: nn.Module, deed: Callable[[], T]) -> T:
        """Do something for which weights of ``network`` are used otherwise than by calling it."""
        del network
        return deed()

    def entire(self, value: Tensor) -> Tensor:
        """A tensor as a whole, of which each process may have a share."""
        return value

    def decided(self, here: bool) -> bool:
        """What the leader says where all do the same; otherwise what this process says itself."""
        return here

    def call(self, deed: str) -> None:
        """Let the others join in what the leader begins with, where it cannot do it alone."""

    def told(self, message: dict[str, Any]) -> dict[str, Any]:
        """The leader's message, in every process."""
        return message

    def wait(self) -> None:
        """Until all processes are here."""


class Group(Alone):
    """A process among several. Every method raises :class:`PeerLost`."""

    def __init__(self, rank: int, size: int, meeting: str, device: torch.device) -> None:
        """``meeting`` is a file that all processes of the group name, and no earlier group did, or
        ``host:port`` where the first one can listen. Raises :class:`TrainingError`.
        """
        self.rank = rank
        self.size = size
        store = _store(rank, size, meeting)
        # What processes agree on lies in the memory of the CPU, whatever they compute with.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        with among_peers():
            dist.init_process_group(
                backend,
                store=store,
                rank=rank,
                world_size=size,
                timeout=_PATIENCE,
            )

    def share(self, plan: Sequence[Tensor], least: int) -> Sequence[Tensor]:
        """As :meth:`Alone.share`; the shares of a batch differ by one row at most."""
        return [self._part(rows, least) for rows in plan]

    def _part(self, rows: Tensor, least: int) -> Tensor:
        parts = max(1, min(self.size, len(rows) // least))
        return torch.tensor_split(rows, parts)[self.rank] if self.rank < parts else rows[:0]

    def reseed(self, seed: int, step: int) -> None:
        """As :meth:`Alone.reseed`: a checkpoint of one process then suits all."""
        torch.manual_seed(mixed(seed, self.rank, step))

    def any(self, here: bool) -> bool:
        """As :meth:`Alone.any`."""
        flag = torch.tensor(float(here))
        self._sum(flag)
        return bool(flag.item())

    def align(self, network: nn.Module) -> None:
        """As :meth:`Alone.align`."""
        with torch.no_grad(), among_peers():
            for value in trained_weights(network).values():
                dist.broadcast(value, 0)

    def reduce(
        self, network: nn.Module, losses: Sequence[Tensor], weights: Sequence[float]
    ) -> tuple[Sequence[Tensor], Sequence[float]]:
        """As :meth:`Alone.reduce`; each process counts by its weight, as if there were but one.

        The statistics of batch norms, which see the rows of their process only, become the mean.
        """
        trained = [part for part in network.parameters() if part.requires_grad]
        gradients, own, total = self._gradients(trained, sum(weights))
        mean = sum(
            (loss * (weight / total) for loss, weight in zip(losses, weights, strict=True)),
            torch.zeros((), device=trained[0].device),
        )
        self._sum(mean)
        if gradients:
            torch._foreach_mul_(gradients, own / total)
        statistics = batch_statistics(network)
        if statistics:
            torch._foreach_div_(statistics, self.size)
        for bucket in _buckets([*gradients, *statistics]):
            self._sum_together(bucket)
        return [mean], [total]

    def _gradients(
        self, trained: Sequence[nn.Parameter], own: float
    ) -> tuple[list[Tensor], float, float]:
        """The gradients that any process has, this process's weight, and that of all."""
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
        torch._foreach_copy_(list(tensors), parts)

    def _sum(self, tensor: Tensor) -> None:
        with among_peers():
            dist.all_reduce(tensor)

    def told(self, message: dict[str, Any]) -> dict[str, Any]:
        """As :meth:`Alone.told`; the message is what JSON takes."""
        text = json.dumps(message).encode() if self.leads else b""
        length = torch.tensor(len(text))
        with among_peers():
            dist.broadcast(length, 0)
            content = torch.frombuffer(bytearray(text or int(length)), dtype=torch.uint8)
            dist.broadcast(content, 0)
        said: dict[str, Any] = json.loads(content.numpy().tobytes())
        return said

    def wait(self) -> None:
        """As :meth:`Alone.wait`."""
        self.any(False)


def _store(rank: int, size: int, meeting: str) -> Any:
    """Where the processes write down for each other how they are reached."""
    if meeting.startswith("/"):
        return FileStore(meeting, size)
    host, _, text = meeting.rpartition(":")
    port = int(text)
    if rank:
        with among_peers():
            return TCPStore(host, port, size, is_master=False, timeout=_MEETING)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # torch itself would listen at every address of the machine.
        with socket.create_server(address[:2], family=family) as listening:
            handle = listening.detach()
    except OSError as error:
        raise TrainingError(
            f"train.rendezvous: cannot listen at {meeting}: {error.strerror}.",
            "Give an address of the main node, and a free port.",
        ) from error
    return TCPStore(
        str(address[0]), port, size, is_master=True, wait_for_workers=False,
        timeout=_MEETING, master_listen_fd=handle,
    )  # fmt: skip


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one type each, in pieces that are not too large to be copied."""
    for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
        bucket: list[Tensor] = []
        for tensor in (tensor for tensor in tensors if tensor.dtype == kind):
            if bucket and sum(part.nbytes for part in bucket) + tensor.nbytes > _BUCKET_BYTES:
                yield bucket
                bucket = []
            bucket.append(tensor)
        yield bucket


@contextmanager
def among_peers() -> Iterator[None]:
    """Whatever fails in a conversation fails because another one is gone."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(str(error)) from error


def lost_a_peer(error: Exception) -> bool:
    """Whether an error means that another process is gone, in whatever pass it came up."""
    return isinstance(error, PeerLost | dist.DistError) or _GLOO in str(error)
