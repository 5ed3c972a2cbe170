"""Cross-entropy of a last layer, with its gradient computed beside it.

The gradient by logits is known as soon as they are: probabilities, less one at the label. So a
chunk of logits is made once, serves the loss and all gradients, and is dropped. Autograd would keep
it until the backward pass, or compute it there a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.data.labels import IGNORED

_TYPES = (torch.float32, torch.bfloat16)
"""In float16 the gradients of unlikely tokens would be 0 before the loss is scaled."""
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def only_multiplies(head: nn.Module) -> bool:
    """Return whether a last layer is a matrix in memory and nothing more.

    Not one with an adapter, quantized weights or hooks, nor a process's part of one.
    """
    if type(head) is not nn.Linear or "forward" in vars(head):
        return False
    weights = [weight for weight in (head.weight, head.bias) if weight is not None]
    whole = all(type(weight) is nn.Parameter and weight.dtype in _TYPES for weight in weights)
    return whole and not any(getattr(head, hooks) for hooks in _HOOKS)


def multiplied_type(states: Tensor) -> torch.dtype:
    """Return the type in which a layer multiplies such states here, by autocast if it is on."""
    kind = states.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype


def has_gradient_here(head: nn.Module, states: Tensor) -> bool:
    """Return whether :func:`summed_nats` computes the loss of these states."""
    return torch.is_grad_enabled() and only_multiplies(head) and multiplied_type(states) in _TYPES


def summed_nats(
    states: Tensor, head: nn.Module, labels: Tensor, rows: int, all_known: bool = False
) -> Tensor:
    """Sum of the nats of ``[tokens]`` labels from ``[tokens, width]`` states, with gradient.

    Logits exist for ``rows`` tokens at once. For what :func:`has_gradient_here`; ``all_known``
    where no label is to be ignored.
    """
    states = states.to(multiplied_type(states))
    known = None if all_known else labels != IGNORED
    chosen = labels if known is None else torch.where(known, labels, 0)
    with torch.autocast(states.device.type, enabled=False):
        nats = _SummedNats.apply(states, head.weight, head.bias, chosen, known, rows)
    return cast(Tensor, nats)


class _SummedNats(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Tensor,
        known: Tensor | None,
        rows: int,
    ) -> Tensor:
        matrix = weight.to(states.dtype)
        shift = None if bias is None else bias.to(states.dtype)
        total = states.new_zeros((), dtype=torch.float32)
        to_states: list[Tensor] = []
        to_weight: Tensor | None = None
        to_bias: Tensor | None = None
        for begin in range(0, len(states), rows):
            part = slice(begin, begin + rows)
            some = states[part]
            nats, slope = _nats_and_slope(F.linear(some, matrix, shift), labels[part])
            # What is not learned is left out of the narrow states, not of the wide logits.
            mask = None if known is None else known[part, None].to(states.dtype)
            total += (nats if known is None else nats.where(known[part], 0)).sum()
            if ctx.needs_input_grad[0]:
                to_states.append(_masked(slope @ matrix, mask))
            if ctx.needs_input_grad[1]:
                to_weight = _added(to_weight, slope.t() @ _masked(some, mask), weight.dtype)
            if ctx.needs_input_grad[2]:
                learned = slope if mask is None else slope * mask
                to_bias = _added(to_bias, learned.sum(0), weight.dtype)
        ctx.gradients = _joined(to_states), to_weight, to_bias
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        gradients: Sequence[Tensor | None] = ctx.gradients
        del ctx.gradients  # they are changed in place: a second backward pass would be wrong
        scaled = (None if part is None else part.mul_(outer[0]) for part in gradients)
        return *scaled, None, None, None


def _nats_and_slope(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nats of ``[tokens]`` labels, and their gradient by the logits."""
    logarithms = torch.log_softmax(logits.float(), -1)
    chosen = logarithms.gather(1, labels[:, None])
    slope = logarithms.exp_().scatter_(1, labels[:, None], chosen.exp() - 1)
    return -chosen[:, 0], slope.to(logits.dtype)


def _joined(parts: list[Tensor]) -> Tensor | None:
    return torch.cat(parts) if parts[1:] else parts[0] if parts else None


def _masked(values: Tensor, mask: Tensor | None) -> Tensor:
    return values if mask is None else values * mask


def _added(total: Tensor | None, more: Tensor, dtype: torch.dtype) -> Tensor:
    return more.to(dtype) if total is None else total.add_(more)
