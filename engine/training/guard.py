"""Updates from numbers that are not finite are left out, whatever they would do to the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Guard:
    """Makes the updates of one optimizer."""

    def __init__(self, optimizer: torch.optim.Optimizer, on_device: bool) -> None:
        """``on_device``: decide without waiting for the device, which fused optimizers can."""
        self._optimizer = optimizer
        self._on_device = on_device

    def step(self, losses: Sequence[Tensor], norm: Tensor | None) -> None:
        """Update the weights if the losses and the norm of the gradient (if known) are finite."""
        numbers = list(losses) if norm is None else [*losses, norm]
        if not self._on_device:
            if all(math.isfinite(number.item()) for number in numbers):
                self._optimizer.step()
            return
        # As torch's GradScaler tells a fused optimizer: 1 leaves the update out.
        bad = torch.stack(numbers).isfinite().all().logical_not()
        self._optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
        self._optimizer.grad_scale = None  # type: ignore[attr-defined]
        self._optimizer.step()


def guard(optimizer: torch.optim.Optimizer, device: torch.device) -> Guard:
    """The guard that costs least: a look at a number is free on the CPU, but not elsewhere."""
    fused = all(group.get("fused") for group in optimizer.param_groups)
    return Guard(optimizer, on_device=device.type == "cuda" and fused)
