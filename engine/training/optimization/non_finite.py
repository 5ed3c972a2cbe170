"""Skip updates whose loss or gradient is not finite.

Updates that ran out of memory are skipped as well: the statistics of batch norms are restored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.errors import TrainingFailed
from engine.torch_private import BatchNorm, foreach_copy_


class Diverged(Exception):
    """Too many updates in a row had to be skipped."""


class Guard:
    """Makes the updates of one network by one optimizer."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        device: torch.device,
        on_device: bool | None = None,
    ) -> None:
        """Check on the device without waiting if ``on_device``; ``None`` is the cheapest way."""
        self._optimizer = optimizer
        # Reading a number is free on the CPU; elsewhere, a fused optimizer does not need it.
        fused = all(group.get("fused") for group in optimizer.param_groups)
        self._on_device = (device.type == "cuda" and fused) if on_device is None else on_device
        self._statistics = batch_statistics(network)
        self._kept: list[Tensor] = [torch.empty_like(part) for part in self._statistics]

    def keep(self) -> None:
        """Save what a forward pass changes, before the first one of an update."""
        if self._statistics:
            foreach_copy_(self._kept, self._statistics)

    def undo(self) -> None:
        """Restore what :meth:`keep` saved."""
        if self._statistics:
            foreach_copy_(self._statistics, self._kept)

    def step(self, losses: Sequence[Tensor], norm: Tensor | None) -> None:
        """Update the weights if the losses and the gradient norm (if known) are finite."""
        numbers = list(losses) if norm is None else [*losses, norm]
        if not self._on_device:
            if all(math.isfinite(number.item()) for number in numbers):
                self._optimizer.step()
            elif self._statistics:
                foreach_copy_(self._statistics, self._kept)
            return
        # Like torch's GradScaler for a fused optimizer: 1 skips the update.
        bad = torch.stack(numbers).isfinite().all().logical_not()
        self._optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
        self._optimizer.grad_scale = None  # type: ignore[attr-defined]
        self._optimizer.step()
        if self._statistics:
            self._restore_where(bad)

    def restore_unless_finite(self, norm: Tensor) -> None:
        """Restore what :meth:`keep` saved where a gradient scaler skipped the update for ``norm``.

        An overflow in float16 would stay in the statistics of batch norms for good.
        """
        if self._statistics:
            self._restore_where(norm.isfinite().logical_not())

    def _restore_where(self, bad: Tensor) -> None:
        """Restore the statistics where ``bad`` is true, decided on the device, with few kernels."""
        now, kept = (
            torch.cat([part.flatten() for part in parts])
            for parts in (self._statistics, self._kept)
        )
        sizes = [part.numel() for part in self._statistics]
        chosen = torch.split(torch.where(bad, kept, now), sizes)
        foreach_copy_([part.flatten() for part in self._statistics], list(chosen))


def not_finite(step: int) -> TrainingFailed:
    """Return the error for NaN or infinity."""
    return TrainingFailed(
        f"The loss, its gradient or a weight is no longer a finite number (at update {step:,}).",
        "Try a lower train.learning_rate, a smaller train.max_grad_norm or more "
        "train.warmup_ratio, and look for missing or huge values in the data; with "
        "train.max_rollbacks the run goes back to its last checkpoint by itself.",
    )


def batch_statistics(network: nn.Module) -> list[Tensor]:
    """Return the running statistics of batch norms."""
    norms = [part for part in network.modules() if isinstance(part, BatchNorm)]
    kept = [part for norm in norms for part in (norm.running_mean, norm.running_var)]
    return [part for part in kept if part is not None]
