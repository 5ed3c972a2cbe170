"""Gradients of a loss that compares all rows of a batch, in the memory of a few rows.

GradCache (Gao et al. 2021): the vectors of all rows are computed without a graph, then the loss and
its gradient with respect to them; the backward pass computes each few rows once more, with the
dropout of the first time, and continues from that gradient into the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Inputs = Mapping[str, Tensor]
Embed = Callable[[Inputs], Tensor]
"""Texts as tokens to vectors ``[rows, size]``."""


@dataclass(frozen=True)
class _Part:
    """A few rows of one column, and the random state before they were embedded."""

    inputs: Inputs
    column: int
    rows: slice
    random: list[Tensor]


def cached_loss(
    embed: Embed,
    columns: Sequence[Inputs],
    loss_of: Callable[[Sequence[Tensor]], Tensor],
    rows: int,
) -> Tensor:
    """Return ``loss_of`` the vectors of all ``columns``, embedding ``rows`` rows at a time.

    Its backward pass gives the gradients that the loss would have without the cache.
    """
    parts: list[_Part] = []
    vectors: list[Tensor] = []
    with torch.no_grad():
        for number, inputs in enumerate(columns):
            found = []
            for place, some in _cut(inputs, rows):
                parts.append(_Part(some, number, place, _random_state(some)))
                found.append(embed(some))
            vectors.append(torch.cat(found))
    if not torch.is_grad_enabled():
        return loss_of(vectors)
    leaves = [vector.requires_grad_() for vector in vectors]
    loss = loss_of(leaves)
    gradients = torch.autograd.grad(loss, leaves)
    replay = _Replay(embed, parts, gradients)
    trigger = torch.zeros((), device=loss.device, requires_grad=True)
    replayed: Tensor = _Cached.apply(trigger, loss.detach(), replay)
    return replayed


class _Replay:
    """The second pass, which ends in the gradients of the weights."""

    def __init__(self, embed: Embed, parts: Sequence[_Part], gradients: Sequence[Tensor]) -> None:
        self._embed, self._parts, self._gradients = embed, parts, gradients
        device = gradients[0].device.type
        self._device = device
        self._autocast = torch.is_autocast_enabled(device)
        self._dtype = torch.get_autocast_dtype(device)

    def __call__(self, factor: Tensor) -> None:
        for part in self._parts:
            gradient = self._gradients[part.column][part.rows] * factor
            with torch.enable_grad(), _with_random_state(part), self._same_autocast():
                vectors = self._embed(part.inputs)
            torch.autograd.backward(vectors, gradient)

    def _same_autocast(self) -> torch.autocast:
        return torch.autocast(self._device, self._dtype, enabled=self._autocast)


class _Cached(torch.autograd.Function):
    """A loss whose backward pass is a :class:`_Replay`."""

    @staticmethod
    def forward(ctx: Any, trigger: Tensor, loss: Tensor, replay: _Replay) -> Tensor:
        del trigger  # it makes torch ask for a backward pass
        ctx.replay = replay
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, factor: Tensor) -> Any:
        ctx.replay(factor)
        return None, None, None


def _cut(inputs: Inputs, rows: int) -> Iterator[tuple[slice, Inputs]]:
    """Yield a few rows at a time."""
    count = len(inputs["input_ids"])
    for begin in range(0, count, rows):
        place = slice(begin, min(begin + rows, count))
        yield place, {name: value[place] for name, value in inputs.items()}


def _random_state(inputs: Inputs) -> list[Tensor]:
    device = inputs["input_ids"].device
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


@contextmanager
def _with_random_state(part: _Part) -> Iterator[None]:
    """Set the random state of the first pass inside the block."""
    device = part.inputs["input_ids"].device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.set_rng_state(part.random[0])
        if device.type == "cuda":
            torch.cuda.set_rng_state(part.random[1], device)
        yield
