"""Gradients no longer than a limit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.training.fused_adamw import need_no_sorting

_TORCH_ADDS = 1e-6
"""What torch adds to a norm before it divides the limit by it."""


def clip_gradients(parameters: Sequence[nn.Parameter], limit: float) -> Tensor:
    """Shorten all gradients together to ``limit``; returns how long they were.

    To the same bits as ``nn.utils.clip_grad_norm_``, which multiplies with 1 where nothing is to
    be shortened. A look at the norm is free on the CPU and spares that: of a small MLP's update
    it was a fifteenth.
    """
    norm = _norm([p.grad for p in parameters if p.grad is not None])
    if norm.device.type != "cpu" or not norm + _TORCH_ADDS <= limit:
        nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    return norm


def _norm(gradients: list[Tensor]) -> Tensor:
    """As ``nn.utils.get_total_norm``, which sorts them by device and type first."""
    if not gradients or not need_no_sorting(gradients):
        return nn.utils.get_total_norm(gradients)
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    return norm
