"""Gradient clipping by norm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.torch_private import foreach_norm
from engine.training.optimization.fused_adamw import need_no_sorting

_TORCH_ADDS = 1e-6
"""Added by torch to the norm before it divides the maximum norm by it."""


def clip_gradients(parameters: Sequence[nn.Parameter], limit: float) -> Tensor:
    """Clip all gradients together to the maximum norm ``limit``; returns their norm.

    Bit for bit like ``nn.utils.clip_grad_norm_``, which multiplies by 1 where nothing is clipped.
    On the CPU, reading the norm is free and spares that: a fifteenth of a small MLP's update.
    """
    norm = _norm([p.grad for p in parameters if p.grad is not None])
    if limit == math.inf:
        return norm
    # At the limit itself torch's quotient may be a bit below 1.
    if norm.device.type != "cpu" or not norm + _TORCH_ADDS < limit:
        nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    return norm


def _norm(gradients: list[Tensor]) -> Tensor:
    """Return the norm of all, like ``nn.utils.get_total_norm`` without sorting by device."""
    if not gradients or not need_no_sorting(gradients):
        return nn.utils.get_total_norm(gradients)
    norm: Tensor = torch.linalg.vector_norm(torch.stack(foreach_norm(gradients)))
    return norm
