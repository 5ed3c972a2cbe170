"""Gradients summed over data-parallel processes, in buckets, while the backward pass still runs.

As in torch's DistributedDataParallel (Li et al. 2020): a bucket is sent as soon as its gradients
are there, the last layers first, and the sums are the gradients of the update without a copy.
Unlike there, each process has a weight, which may be 0, and any of them may run out of memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from engine.torch_private import foreach_copy_
from engine.training.distributed.sums import Pending, Sums

_LARGEST, _SMALLEST = 1 << 25, 1 << 20
"""Bytes of a bucket."""
_COUNT = 8
"""Buckets of a network, where that leads to a size between those."""
_ALIGNED = 64
"""Bytes at whose multiples each gradient begins, as torch's memory does."""


@dataclass(frozen=True)
class _Bucket:
    """Parameters of one type on one device, and the places of their gradients in a flat tensor."""

    parameters: tuple[nn.Parameter, ...]
    offsets: tuple[int, ...]
    length: int

    @classmethod
    def of(cls, parameters: Sequence[nn.Parameter]) -> _Bucket:
        step = _ALIGNED // parameters[0].element_size()
        ends = list(accumulate(-(-part.numel() // step) * step for part in parameters))
        return cls(tuple(parameters), (0, *ends[:-1]), ends[-1])

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return the gradients in ``flat``, each in the memory layout of its parameter."""
        return [
            _like(part, flat[start : start + part.numel()])
            for part, start in zip(self.parameters, self.offsets, strict=True)
        ]


def _like(parameter: nn.Parameter, flat: Tensor) -> Tensor:
    strides = zip(parameter.shape, parameter.stride(), strict=True)
    if sum((size - 1) * stride for size, stride in strides) + 1 == parameter.numel():
        return flat.as_strided(parameter.shape, parameter.stride())
    return flat.view(parameter.shape)


@dataclass(frozen=True)
class _Sum:
    """A bucket on its way to the other processes and back."""

    flat: Tensor
    gradients: list[Tensor]
    pending: Pending


class GradientBuckets:
    """The gradients of one network in this process.

    Every process makes the same calls, and sends the same buckets in the same order. A gradient
    that comes after its bucket was sent, such as that of a layer used for the first time, is sent
    again and added.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        """``parameters`` are all that are trained, in the order in which they are used."""
        self.sums = Sums()
        self._buckets = list(_buckets(list(parameters)[::-1]))
        self._parameters = [part for bucket in self._buckets for part in bucket.parameters]
        self._number = {p: n for n, bucket in enumerate(self._buckets) for p in bucket.parameters}
        self._unused: set[nn.Parameter] = set()
        """Those that had no gradient in any process in the last update; they are not waited for."""
        self._awaited: list[set[nn.Parameter]] = []
        """Of each bucket but the last, those without a gradient in the last backward pass."""
        self._last = False
        self._forget()
        # The last bucket is complete when the backward pass ends: it is sent then, without hooks.
        for parameter in (part for bucket in self._buckets[:-1] for part in bucket.parameters):
            parameter.register_post_accumulate_grad_hook(self._accumulated)  # type: ignore[no-untyped-call]

    def _forget(self) -> None:
        self._sums: list[_Sum] = []
        self._had: set[nn.Parameter] = set()
        self._own = 0.0
        self._total: tuple[Tensor, Pending] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all gradients."""
        return sum(b.length * b.parameters[0].element_size() for b in self._buckets)

    def begin(self, weight: float) -> None:
        """Begin an update in which this process has ``weight``."""
        known = torch.tensor(weight, dtype=torch.float64)
        self._own, self._total = weight, (known, self.sums.start(known))

    def backward(self, loss: Tensor, last: bool) -> None:
        """Accumulate the gradients of ``loss``; send them meanwhile if no more follow."""
        self._awaited = [set(bucket.parameters) - self._unused for bucket in self._buckets[:-1]]
        self._last = last
        try:
            torch.autograd.backward(loss)
        finally:
            self._last = False

    def _accumulated(self, parameter: nn.Parameter) -> None:
        """Send the buckets that are complete, in their order, without ever waiting."""
        if not self._last:
            return
        self._awaited[self._number[parameter]].discard(parameter)
        assert self._total is not None
        known, work = self._total
        while len(self._sums) < len(self._awaited) and not self._awaited[len(self._sums)]:
            if not work.is_completed():
                return
            for part in self._sums:
                part.pending.is_completed()  # which adds up what the others have sent
            self._sums.append(self._sum(self._buckets[len(self._sums)], float(known)))

    def _sum(self, bucket: _Bucket, total: float) -> _Sum:
        """Move the gradients of a bucket, weighted, into memory that is summed over processes."""
        first = bucket.parameters[0]
        whole = all(part.grad is not None for part in bucket.parameters)
        make = torch.empty if whole else torch.zeros
        flat = make(bucket.length, dtype=first.dtype, device=first.device)
        views = bucket.views(flat)
        own = [(v, p) for v, p in zip(views, bucket.parameters, strict=True) if p.grad is not None]
        if own:
            foreach_copy_([view for view, _ in own], [p.grad for _, p in own if p.grad is not None])
            flat.mul_(self._own / total)
        self._had.update(part for _, part in own)
        for _, part in own:
            part.grad = None
        return _Sum(flat, views, self.sums.start(flat))

    def finish(self, failed: bool, beside: Tensor | None = None) -> float | None:
        """Let each parameter have its gradient of the whole batch; return the weight of all.

        ``None`` if this or another process ``failed``: then the gradients are void. A parameter
        without a gradient in any process has none. Numbers ``beside`` them, on the CPU, are
        replaced by their sum.
        """
        if self._total is None:
            self.begin(0.0)
        if failed:
            self._drop()
        total = self._whole()
        for bucket in self._buckets[len(self._sums) :]:
            self._sums.append(self._sum(bucket, total))
        failures, late, had = self._known(failed, torch.empty(0) if beside is None else beside)
        for part in self._sums:
            part.pending.wait()
        if not failures:
            self._add([n for n, found in enumerate(late) if found], total)
            self._unused = {p for p, count in zip(self._parameters, had, strict=True) if not count}
            gradients = [gradient for part in self._sums for gradient in part.gradients]
            for parameter, gradient in zip(self._parameters, gradients, strict=True):
                parameter.grad = None if parameter in self._unused else gradient
        self.sums.release()
        self._forget()
        return None if failures else total

    def _whole(self) -> float:
        assert self._total is not None
        known, work = self._total
        work.wait()
        return float(known)

    def _known(self, failed: bool, beside: Tensor) -> tuple[float, list[float], list[float]]:
        """Return how many processes failed, have gradients left of each bucket, and had some of
        each parameter; sum the numbers ``beside``."""
        left = {self._number[part] for part in self._parameters if part.grad is not None}
        late = [float(number in left) for number in range(len(self._buckets))]
        had = [float(part in self._had or part.grad is not None) for part in self._parameters]
        own = torch.tensor([float(failed), *late, *had])
        known = torch.cat([own, beside]) if len(beside) else own
        self.sums.start(known).wait()
        failures, *counts = known[: len(own)].tolist()
        beside.copy_(known[len(own) :])
        return failures, counts[: len(late)], counts[len(late) :]

    def _add(self, late: Iterable[int], total: float) -> None:
        """Add what came after these buckets were sent."""
        for number in late:
            more = self._sum(self._buckets[number], total)
            more.pending.wait()
            self._sums[number].flat.add_(more.flat)

    def _drop(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[_Bucket]:
    """Yield buckets of parameters of one type and device each, all in about the given order."""
    kinds: dict[Any, list[nn.Parameter]] = {}
    whole = sum(part.nbytes for part in parameters)
    limit = min(_LARGEST, max(_SMALLEST, whole // _COUNT))
    for part in parameters:
        bucket = kinds.setdefault((part.dtype, part.device), [])
        if bucket and sum(one.nbytes for one in bucket) + part.nbytes > limit:
            yield _Bucket.of(bucket)
            bucket.clear()
        bucket.append(part)
    yield from (_Bucket.of(bucket) for bucket in kinds.values())
