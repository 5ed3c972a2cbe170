"""AdamW on the CPU without what torch does in Python before its kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class _Tensors:
    """What the kernel updates of one group."""

    group: dict[str, Any]
    parameters: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


class FusedAdamW(torch.optim.AdamW):
    """``torch.optim.AdamW(…, fused=True)``: the same updates to the last bit, the same state.

    Torch collects the tensors of an update each time anew and sorts them by device and type, which
    was a tenth of a small MLP's update; here they are collected once. Whatever is unusual is left
    to torch: the first update, parameters that have no gradient or are sharded, ``found_inf``.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        """As torch's, for parameters on the CPU."""
        self._collected: list[_Tensors] | None = None
        super().__init__(groups, lr=lr, betas=betas, fused=True)
        self._counts = [len(group["params"]) for group in self.param_groups]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The state was loaded, so its tensors are others."""
        super().__setstate__(state)
        self._collected = None

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Make one update."""
        if closure is not None or getattr(self, "found_inf", None) is not None:
            return super().step(closure)
        if self._collected is None:
            self._collected = self._collect()
        gradients = [
            [p.grad for p in part.parameters if p.grad is not None] for part in self._collected
        ]
        if list(map(len, gradients)) != self._counts:
            self._collected = None
            return super().step()
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

    def _collect(self) -> list[_Tensors]:
        """Nothing where one of the parameters is unusual or has not been updated yet."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        kinds = {(type(p), p.device.type, p.dtype) for p in parameters}
        if kinds != {(nn.Parameter, "cpu", torch.float32)} or any(
            p not in self.state for p in parameters
        ):
            return []
        return [self._tensors(group) for group in self.param_groups]

    def _tensors(self, group: dict[str, Any]) -> _Tensors:
        states = [self.state[p] for p in group["params"]]
        means, squares, steps = (
            [state[name] for state in states] for name in ("exp_avg", "exp_avg_sq", "step")
        )
        return _Tensors(group, group["params"], means, squares, steps)


def _update(part: _Tensors, gradients: list[Tensor]) -> None:
    group = part.group
    torch._foreach_add_(part.steps, 1)
    torch._fused_adamw_(
        part.parameters, gradients, part.means, part.squares, [], part.steps,
        lr=group["lr"], beta1=group["betas"][0], beta2=group["betas"][1],
        weight_decay=group["weight_decay"], eps=group["eps"],
        amsgrad=False, maximize=False, grad_scale=None, found_inf=None,
    )  # fmt: skip
