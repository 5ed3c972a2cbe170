"""Memory-mapped samples: rows of numbers in a file, read in random order.

Memory use does not grow with the number of rows. Rows are shuffled in pools of some hundred
thousand rows, whose chunks lie all over the data. So each part of the file is read only once an
epoch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Noise, Source, TensorSource, joins_last, mixed, on_device

MANY_BYTES = 1 << 25
"""Splits larger than this are memory-mapped rather than held in memory …"""
DEVICE_BYTES = 1 << 30
"""… and on a GPU, splits larger than this."""
_PIECE = 1024
"""Neighbouring rows that are read in the same part of an epoch."""
_POOL = 256
"""Number of chunks that are shuffled together."""


class RowSource(TensorSource):
    """Samples that are few enough to be held on the device."""

    @override
    def resident_bytes(self, count: int) -> int:
        """Return the bytes; 0 where the samples are memory-mapped."""
        held = super().resident_bytes(count)
        most = MANY_BYTES if self._all[0].device.type == "cpu" else DEVICE_BYTES
        return held if held <= 2 * most else 0


class MappedSource(Source):
    """Arrays whose first dimension counts the samples, mapped from a file."""

    def __init__(
        self,
        inputs: dict[str, NDArray[Any]],
        targets: NDArray[Any] | None,
        device: torch.device,
    ) -> None:
        self._inputs = inputs
        self._targets = targets
        self._device = device
        self.slow = True

    def __len__(self) -> int:
        return len(next(iter(self._inputs.values())))

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; nothing is augmented."""
        del noise
        for number in range(start, len(plan)):
            rows = plan[number].numpy()
            inputs = {name: _taken(array, rows) for name, array in self._inputs.items()}
            targets = None if self._targets is None else _taken(self._targets, rows)
            yield on_device(Batch(inputs, targets, len(rows)), self._device, self.pinned)

    @override
    def plan(self, batch_size: int, generator: torch.Generator | None = None) -> Sequence[Tensor]:
        """Return the row numbers of each batch, computed lazily."""
        if generator is None:
            return _Plan(_InOrder(len(self)), batch_size)
        return _Plan(_Mixed(len(self), generator), batch_size)


def _taken(array: NDArray[Any], rows: NDArray[np.int64]) -> Tensor:
    """Copy rows with one thread: torch would start more threads for so little."""
    return torch.from_numpy(array.take(rows, axis=0))


class _InOrder:
    def __init__(self, count: int) -> None:
        self.count = count

    def rows(self, begin: int, end: int) -> Tensor:
        return torch.arange(begin, end)


class _Mixed:
    """A lazy random permutation of all numbers below ``count``."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        pieces = torch.randperm(-(-count // _PIECE), generator=generator)
        self._pools = torch.split(pieces, _POOL)
        self._seed = int(torch.randint(2**62, (1,), generator=generator))
        sizes = [len(pool) * _PIECE for pool in self._pools]
        if count:  # the last chunk may be shorter, wherever it was shuffled to
            last = int((pieces == len(pieces) - 1).nonzero()) // _POOL
            sizes[last] -= len(pieces) * _PIECE - count
        self._ends = list(accumulate(sizes))
        self._mixed: tuple[int, Tensor] = (-1, torch.empty(0))

    def rows(self, begin: int, end: int) -> Tensor:
        parts = []
        while begin < end:
            number = bisect_right(self._ends, begin)
            first = self._ends[number - 1] if number else 0
            stop = min(end, self._ends[number])
            parts.append(self._pool(number)[begin - first : stop - first])
            begin = stop
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _pool(self, number: int) -> Tensor:
        if self._mixed[0] != number:
            pieces = self._pools[number]
            rows = (pieces[:, None] * _PIECE + torch.arange(_PIECE)).flatten()
            rows = rows[rows < self.count]
            own = torch.Generator().manual_seed(mixed(self._seed, number))
            self._mixed = number, rows[torch.randperm(len(rows), generator=own)]
        return self._mixed[1]


class _Plan(Sequence[Tensor]):
    """The batches of an order; a single left-over sample joins the batch before it."""

    def __init__(
        self, order: _InOrder | _Mixed, batch_size: int, part: range | None = None
    ) -> None:
        self._order = order
        self._batch_size = batch_size
        batches = -(-order.count // batch_size)
        self._joined = joins_last(order.count, batch_size)
        self._all = batches - self._joined
        self._part = range(self._all) if part is None else part

    def __len__(self) -> int:
        return len(self._part)

    @overload
    def __getitem__(self, number: int) -> Tensor: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Tensor]: ...
    def __getitem__(self, number: int | slice) -> Tensor | Sequence[Tensor]:
        if isinstance(number, slice):
            return _Plan(self._order, self._batch_size, self._part[number])
        batch = self._part[number]
        begin = batch * self._batch_size
        end = self._order.count if batch == self._all - 1 else begin + self._batch_size
        return self._order.rows(begin, end)
