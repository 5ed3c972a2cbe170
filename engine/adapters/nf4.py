"""Linear layers with 4-bit weights (NF4 of QLoRA, Dettmers et al. 2023).

The arithmetic is bitsandbytes'. The layer around it is our own: bitsandbytes' layer writes its
weights into every checkpoint and changes the type of a trained bias. On some CPUs it repacks its
weights in an evaluation, after which it has no gradients.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D
from typing_extensions import override

from engine.errors import TrainingError

_BLOCK = 64
"""Weights that share a scale."""
_SCALES = 256
"""Scales, quantised to eight bits themselves, that share one scale in float32."""


def bitsandbytes(field: str) -> ModuleType:
    """Return the library, which ``field`` needs; raises :class:`TrainingError` if it is missing."""
    try:
        import bitsandbytes as library
    except ImportError as error:
        raise TrainingError(
            f"{field} needs the package bitsandbytes.",
            "Install it with `pip install 'dltui[quant]'`.",
        ) from error
    module: ModuleType = library
    return module


class Linear4bit(nn.Module):
    """A frozen linear layer: inputs ``[..., in_features]``, outputs ``[..., out_features]``.

    It computes in the type of its input, or of autocast where that is on. Its weights are a frozen
    parameter of bytes, which can be sharded, and not part of a checkpoint: a resumed run quantises
    the same base model again. On the device ``meta`` it has the size of a real one, and computes
    shapes without bitsandbytes.
    """

    scales: Tensor

    def __init__(self, layer: nn.Linear | Conv1D, place: torch.device) -> None:
        """Quantise the weights of ``layer``, in blocks, on ``place``."""
        super().__init__()
        self.transposed = isinstance(layer, Conv1D)
        weight: Tensor = layer.weight.detach()
        weight = weight.t() if self.transposed else weight
        self.out_features, self.in_features = weight.shape
        self.bias = layer.bias
        self._state: Any = None
        if weight.is_meta:
            blocks = -(-weight.numel() // _BLOCK)
            packed = weight.new_empty(-(-weight.numel() // 2), dtype=torch.uint8)
            scales = weight.new_empty(blocks + 4 * -(-blocks // _SCALES), dtype=torch.uint8)
        else:
            packed, self._state = bitsandbytes("adapter.quantization").functional.quantize_4bit(
                weight.contiguous().to(place), blocksize=_BLOCK, compress_statistics=True,
                quant_type="nf4",
            )  # fmt: skip
            scales = self._state.absmax
        self.packed = nn.Parameter(packed, requires_grad=False)
        self.register_buffer("scales", scales, persistent=False)

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output; gradients flow to the input and to the bias."""
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if self._state is None:
            shape = (self.out_features, self.in_features)
            return _Imagined.apply(x, shape, bias)  # type: ignore[no-any-return]
        if self._state.absmax.device != self.packed.device:
            self._state.to(self.packed.device)  # a sharded network is moved weight by weight
        library = bitsandbytes("adapter.quantization")
        result: Tensor = library.matmul_4bit(x, self.packed, bias=bias, quant_state=self._state)
        return result

    @property
    def weight(self) -> Tensor:
        """Dequantise the weights, ``[outputs, inputs]``, anew at each call.

        DoRA needs them. If the original layer was transposed, so are they.
        """
        if self._state is None:
            made = self.packed.new_empty(self.out_features, self.in_features, dtype=torch.float32)
        else:
            library = bitsandbytes("adapter.quantization")
            made = library.functional.dequantize_4bit(self.packed, self._state).float()
        return made.t() if self.transposed else made

    @property
    def packed_weights(self) -> int:
        """The number of weights."""
        return self.in_features * self.out_features

    def plain(self) -> nn.Module:
        """Return a plain layer with the dequantised weights."""
        layer: Any
        if self.transposed:
            layer = Conv1D(self.out_features, self.in_features)  # type: ignore[no-untyped-call]
        else:
            layer = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None)
        layer.weight = nn.Parameter(self.weight.contiguous(), requires_grad=False)
        layer.bias = self.bias
        made: nn.Module = layer
        return made

    def _apply(self, fn: Any, recurse: bool = True) -> Linear4bit:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self._state is not None:
            self._state.to(self.packed.device)
        return self


class _Imagined(torch.autograd.Function):
    """Stand-in with the memory of a 4-bit layer: all weights for a moment, forward and backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shape: tuple[int, int], bias: Tensor | None) -> Tensor:
        ctx.shape = shape
        ctx.bias = bias is not None and bias.requires_grad
        return F.linear(x, x.new_empty(shape), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        into = gradient @ gradient.new_empty(ctx.shape) if ctx.needs_input_grad[0] else None
        return into, None, gradient.flatten(0, -2).sum(0) if ctx.bias else None


def quantize(network: nn.Module, place: torch.device, keep: set[nn.Module]) -> int:
    """Quantise the frozen linear layers except ``keep`` to four bits, one after another.

    Layers move to ``place`` one by one, so that it never holds the whole unquantised network.
    Returns their number.
    """
    count = 0
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if layer not in keep and _fits(layer):
                setattr(parent, name, Linear4bit(layer, place).train(layer.training))
                count += 1
    return count


def _fits(layer: nn.Module) -> TypeGuard[nn.Linear | Conv1D]:
    """Return whether it is frozen and linear, with rows of whole blocks.

    For other rows bitsandbytes' CPU kernel uses the wrong scales.
    """
    if not isinstance(layer, nn.Linear | Conv1D) or layer.weight.requires_grad:
        return False
    return layer.weight.shape[0 if isinstance(layer, Conv1D) else 1] % _BLOCK == 0


def dequantize(network: nn.Module) -> None:
    """Replace 4-bit layers by plain ones."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, Linear4bit):
                setattr(parent, name, layer.plain())
