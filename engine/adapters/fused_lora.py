"""Peft's LoRA layers with fewer passes over memory.

Peft computes ``base(x) + B(A(x)) * scale``: three passes over tensors as wide as the layer, and one
more in the backward pass. On a CPU they take as long as the two narrow products themselves. Here
the scale is applied to the narrow tensor, and the sum is computed in place in the base's output.
Neither a linear layer nor a convolution needs that output for its gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor, nn


def fuse(adapted: nn.Module) -> None:
    """Make the plain LoRA layers of a network compute as above; names and weights stay."""
    for module in adapted.modules():
        # Exactly these: layers of four bits and the like derive from them.
        if type(module) in _FASTER:
            module.__class__ = _FASTER[type(module)]


class _Linear(lora.Linear):
    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        name = _only_adapter(self, x)
        if name is None or args or kwargs:
            return _tensor(super().forward(x, *args, **kwargs))
        rows = x.reshape(-1, x.shape[-1])
        result = _tensor(self.base_layer(rows))
        narrow = self.lora_A[name](self.lora_dropout[name](rows)).to(result.dtype)
        wide = _tensor(self.lora_B[name].weight).t().to(result.dtype)
        result.addmm_(narrow, wide, alpha=self.scaling[name])
        return result.view(*x.shape[:-1], result.shape[-1])


class _Conv2d(lora.Conv2d):
    """Has the attributes of its layer that networks read, as MobileNet does for its padding."""

    @property
    def stride(self) -> Any:
        return self.base_layer.stride

    @property
    def kernel_size(self) -> Any:
        return self.base_layer.kernel_size

    @property
    def dilation(self) -> Any:
        return self.base_layer.dilation

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        name = _only_adapter(self, x)
        if name is None or args or kwargs:
            return _tensor(super().forward(x, *args, **kwargs))
        narrow = self.lora_A[name](self.lora_dropout[name](x)) * self.scaling[name]
        return _tensor(self.base_layer(x)).add_(self.lora_B[name](narrow))


_FASTER: dict[type[nn.Module], type[nn.Module]] = {lora.Linear: _Linear, lora.Conv2d: _Conv2d}


def _only_adapter(layer: Any, x: Tensor) -> str | None:
    """Return the adapter of a layer with one active adapter, plain and in the input's format."""
    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return None
    (name,) = layer.active_adapters
    if name not in layer.lora_A or name in layer.lora_variant:
        return None
    # Peft casts the input; autocast does so by itself.
    alike = x.dtype == layer.lora_A[name].weight.dtype
    return name if alike or torch.is_autocast_enabled(x.device.type) else None


def _tensor(value: Any) -> Tensor:
    assert isinstance(value, Tensor)
    return value
