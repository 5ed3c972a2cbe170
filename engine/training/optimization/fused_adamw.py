"""AdamW on the CPU, without torch's Python overhead before its kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.torch_private import AdamW, foreach_add_, fused_adamw_

_ONE = torch.tensor(1.0)
"""A number would be made a tensor for each parameter anew."""


def need_no_sorting(tensors: Iterable[Tensor]) -> bool:
    """Return whether all are plain tensors in float32 on the CPU (not sharded, …)."""
    kinds = {(type(t), t.device.type, t.dtype) for t in tensors}
    return kinds <= {(kind, "cpu", torch.float32) for kind in (Tensor, nn.Parameter)}


@dataclass(frozen=True, slots=True)
class _Tensors:
    """The tensors of one group that the kernel updates."""

    group: dict[str, Any]
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


class FusedAdamW(AdamW):
    """``torch.optim.AdamW(…, fused=True)``: the same updates to the last bit, the same state.

    Torch collects the tensors of an update each time anew and sorts them by device and type. That
    was a tenth of a small MLP's update; here they are collected once. Where a parameter has no
    gradient or no state yet, and with ``found_inf``, the update is left to torch.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        """Take torch's arguments, for parameters that :func:`need_no_sorting`."""
        self._collected: list[_Tensors] = []
        super().__init__(groups, lr=lr, betas=betas, fused=True)
        self._count = sum(len(group["params"]) for group in self.param_groups)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Drop the collected tensors, as the state was loaded."""
        super().__setstate__(state)
        self._collected = []

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Make one update."""
        gradients = [
            [p.grad for p in group["params"] if p.grad is not None] for group in self.param_groups
        ]
        whole = sum(map(len, gradients)) == len(self.state) == self._count
        if closure is not None or getattr(self, "found_inf", None) is not None or not whole:
            return super().step(closure)
        self._collected = self._collected or list(map(self._tensors, self.param_groups))
        for part, of_part in zip(self._collected, gradients, strict=True):
            _update(part, of_part)
        return None

    step.hooked = True  # type: ignore[attr-defined]  # or torch would wrap it for its profiler

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or keep them as zeros."""
        if not set_to_none:
            super().zero_grad(set_to_none=False)
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _tensors(self, group: dict[str, Any]) -> _Tensors:
        states = [self.state[p] for p in group["params"]]
        means, squares, steps = (
            [state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")
        )
        return _Tensors(group, means, squares, steps)


def _update(part: _Tensors, gradients: list[Tensor]) -> None:
    group = part.group
    foreach_add_(part.steps, _ONE)
    fused_adamw_(
        group["params"], gradients, part.means, part.squares, [], part.steps,
        lr=group["lr"], beta1=group["betas"][0], beta2=group["betas"][1],
        weight_decay=group["weight_decay"], eps=group["eps"],
        amsgrad=False, maximize=False, grad_scale=None, found_inf=None,
    )  # fmt: skip
