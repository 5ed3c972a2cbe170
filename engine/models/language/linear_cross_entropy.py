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


def summed_nats(states: Tensor, head: nn.Module, labels: Tensor, rows: int) -> Tensor:
    """Sum of the nats of ``[tokens]`` labels from ``[tokens, width]`` states, with gradient.

    Logits exist for ``rows`` tokens at once. For what :func:`has_gradient_here`.
    """
    states = states.to(multiplied_type(states))
    with torch.autocast(states.device.type, enabled=False):
        nats = _SummedNats.apply(states, head.weight, head.bias, labels, rows)
    return cast(Tensor, nats)


class _SummedNats(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, rows: int
    ) -> Tensor:
        by_states, by_weight, by_bias, *_ = ctx.needs_input_grad
        total = states.new_zeros((), dtype=torch.float32)
        to_states = torch.empty_like(states) if by_states else None
        to_weight = torch.zeros_like(weight) if by_weight else None
        to_bias = torch.zeros_like(bias) if bias is not None and by_bias else None
        matrix = weight.to(states.dtype)
        shift = None if bias is None else bias.to(states.dtype)
        for begin in range(0, len(states), rows):
            part = slice(begin, begin + rows)
            known = (labels[part] != IGNORED)[:, None].to(states.dtype)
            nats, slope = _nats_and_slope(F.linear(states[part], matrix, shift), labels[part])
            total += nats
            # What is not learned is left out of the narrow states, not of the wide logits.
            if to_states is not None:
                torch.mul(slope @ matrix, known, out=to_states[part])
            if to_weight is not None:
                to_weight += slope.t() @ (states[part] * known)
            if to_bias is not None:
                to_bias += (slope.t() @ known)[:, 0]
        ctx.gradients = to_states, to_weight, to_bias
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        gradients: Sequence[Tensor | None] = ctx.gradients
        del ctx.gradients  # they are changed in place: a second backward pass would be wrong
        return *(None if part is None else part.mul_(outer[0]) for part in gradients), None, None


def _nats_and_slope(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of the nats, and their gradient by the logits, of labels that are learned.

    The gradient has any values for other labels.
    """
    known = labels != IGNORED
    chosen = torch.where(known, labels, 0)
    logarithms = torch.log_softmax(logits.float(), -1)
    nats = -(logarithms.gather(1, chosen[:, None])[:, 0] * known).sum()
    slope = logarithms.exp_()
    slope[torch.arange(len(labels), device=labels.device), chosen] -= 1
    return nats, slope.to(logits.dtype)
