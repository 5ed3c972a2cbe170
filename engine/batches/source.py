"""Sources of batches, and the order of their samples.

The order is a pure function of seed and epoch; noise is a pure function of seed, epoch and
position. So these three numbers suffice to resume in the middle of an epoch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

LEAST_WEIGHT = 1e-6
"""Of a batch, since losses of several processes are divided by their weights."""
_RESIDENT_BYTES = 1 << 28
"""Data up to this size is copied in the order of an epoch at once; larger data batch by batch."""


@dataclass(slots=True)
class Batch:
    """Some samples on the device."""

    inputs: Any
    """A tensor, or a dictionary of tensors, as the task's network takes them."""
    targets: Any = None
    weight: float = 1.0
    """Terms in the loss (samples or tokens): this batch's weight in a sum over batches."""
    rows: Any = None
    """The samples as they were read (an Arrow table), for tasks that show them."""
    numbers: Tensor | None = None
    """Numbers of the samples where the source may leave some out; else they are the plan's."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Randomness of one epoch's batches, by position."""

    seed: int
    epoch: int
    device: torch.device
    rank: int = 0
    """Rank of the process that reads the batches; each rank has its own noise."""

    def at(self, position: int) -> torch.Generator:
        """Return the generator for the batch at ``position``; the same at each call."""
        generator = torch.Generator(self.device)
        return generator.manual_seed(
            mixed(self.seed, self.epoch, position, *[self.rank] * bool(self.rank))
        )


def mixed(*numbers: int) -> int:
    """Return a 63-bit seed from several numbers (splitmix64's finaliser, Steele et al. 2014)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


class Source(ABC):
    """A split that is ready for the network."""

    slow = False
    """Whether batches must be gathered or decoded first, so that prefetching pays."""
    threads: int | None = None
    """Number of threads that read; ``None`` leaves it to the source."""
    pinned = True
    """Whether batches are copied to a GPU from pinned memory."""
    rows: Any = None
    """The samples as they were read (an Arrow table), for tasks that show single ones."""
    batch_tokens: int | None = None
    """Learned tokens of a batch, about, in place of a number of samples."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""

    @abstractmethod
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches ``plan[start:]``, each a tensor of row numbers.

        ``noise`` is given in training and asks for augmentation.
        """

    def plan(self, batch_size: int, generator: torch.Generator | None = None) -> Sequence[Tensor]:
        """Return the row numbers of each batch: shuffled with a generator, in order without one.

        A single left-over sample joins the batch before it, since batch norm cannot train on one;
        not where all batches are of one.
        """
        if generator is None:
            return split_rows(torch.arange(len(self)), batch_size)
        return split_rows(torch.randperm(len(self), generator=generator), batch_size)

    def evaluation_plan(self, batch_size: int) -> Sequence[Tensor]:
        """Return batches like :meth:`plan` without a generator, in the order that is fastest."""
        return self.plan(batch_size)

    def rows_of(self, numbers: Tensor) -> list[int]:
        """Return the rows that the samples with these ``numbers`` are of, in their order."""
        found: list[int] = numbers.tolist()
        return found

    def batch_rows(self, batch_size: int) -> float:
        """Return the number of samples of a batch, on average; sources with tokens go by these."""
        return batch_size

    def resident_bytes(self, count: int) -> int:
        """Return the bytes of device memory that ``count`` such samples would hold permanently."""
        del count
        return 0


def joins_last(count: int, batch_size: int) -> bool:
    """Return whether a last batch of one row joins the batch before.

    It does unless all batches are of one row: there may be memory for no more.
    """
    return batch_size > 1 and count > batch_size and count % batch_size == 1


def split_rows(rows: Tensor, batch_size: int) -> list[Tensor]:
    """Split ``rows`` by ``batch_size``; a last batch of one joins the batch before."""
    pieces = list(torch.split(rows, batch_size))
    if joins_last(len(rows), batch_size):
        last = pieces.pop()
        pieces[-1] = torch.cat([pieces[-1], last])
    return pieces


def first_batch(source: Source, batch_size: int) -> Batch:
    """Return the first batch in order; the source may leave out those that cannot be read."""
    plan = source.plan(batch_size)
    found = next(source.read(plan[:1]), None)
    return found or next(source.read(plan, 1))


def epoch_plan(source: Source, batch_size: int, seed: int, epoch: int) -> Sequence[Tensor]:
    """Return the batches of an epoch, the same for the same seed and epoch."""
    return source.plan(batch_size, torch.Generator().manual_seed(mixed(seed, epoch)))


def on_device(batch: Batch, device: torch.device, pinned: bool) -> Batch:
    """Move a batch's tensors to ``device``; if ``pinned``, without waiting for the copy."""
    if device.type == "cpu":
        return batch
    return Batch(
        moved(batch.inputs, device, pinned), moved(batch.targets, device, pinned),
        batch.weight, batch.rows, batch.numbers,
    )  # fmt: skip


def moved(part: Any, device: torch.device, pinned: bool) -> Any:
    """Return tensors, also within dictionaries, on ``device``; the rest as it is."""
    if isinstance(part, Tensor):
        # From pinned memory, a GPU copies by itself.
        ready = part.pin_memory() if pinned and device.type == "cuda" else part
        return ready.to(device, non_blocking=True)
    if isinstance(part, dict):
        return {name: moved(value, device, pinned) for name, value in part.items()}
    return part


class TensorSource(Source):
    """Samples on the device, as tensors whose first dimension counts them."""

    def __init__(self, inputs: dict[str, Tensor] | Tensor, targets: Tensor | None = None) -> None:
        self.inputs = inputs
        self.targets = targets
        self._all = [*(inputs.values() if isinstance(inputs, dict) else [inputs])]
        self._all += [] if targets is None else [targets]

    def __len__(self) -> int:
        return len(self._all[0])

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; small data is permuted once and then only sliced."""
        for position, (inputs, targets, count) in enumerate(self._pieces(plan[start:]), start):
            batch = Batch(inputs, targets, count)
            yield self.augment(batch, noise.at(position)) if noise and self.augments else batch

    @override
    def resident_bytes(self, count: int) -> int:
        """Return the bytes; small data is held twice, the second time in the epoch's order."""
        held: int = sum(tensor.nbytes for tensor in self._all)
        once = held * count // max(1, len(self))
        return once * 2 if once <= _RESIDENT_BYTES else once

    augments = False
    """Whether :meth:`augment` does anything."""

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Return the batch with noise from ``generator``."""
        del generator
        return batch

    def _pieces(self, plan: Sequence[Tensor]) -> Iterator[tuple[Any, Tensor | None, int]]:
        if not plan:
            return
        if sum(tensor.nbytes for tensor in self._all) > _RESIDENT_BYTES:
            for rows in plan:
                on_device = rows.to(self._all[0].device)
                yield (*self._select(lambda t, r=on_device: t[r]), len(rows))
            return
        order = torch.cat(list(plan)).to(self._all[0].device)
        inputs, targets = self._select(lambda tensor: tensor[order])
        ordered = TensorSource(inputs, targets)
        end = 0
        for rows in plan:
            begin, end = end, end + len(rows)
            yield (*ordered._select(lambda t, b=begin, e=end: t[b:e]), len(rows))

    def _select(self, take: Any) -> tuple[Any, Tensor | None]:
        inputs = (
            {name: take(tensor) for name, tensor in self.inputs.items()}
            if isinstance(self.inputs, dict)
            else take(self.inputs)
        )
        return inputs, None if self.targets is None else take(self.targets)
