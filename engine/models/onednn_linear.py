"""Linear layers in float32 by oneDNN, on CPUs where torch's own products use half their width.

Torch leaves float32 products to MKL, which does without AVX-512 on CPUs of other makers; oneDNN
computes the same there in half the time. ``torch.set_float32_matmul_precision("medium")`` hands
products to it. That allows bfloat16, which oneDNN takes only where the CPU multiplies whole
matrices of it (AMX); so it is used only where products stay as exact as float32 is.

oneDNN generates code for each shape, which takes milliseconds and a megabyte. Rows come in any
number (tokens of a batch), so they are multiplied in blocks of a few sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from engine.hardware.device import Compute
from engine.torch_private import cpu_multiplies_bfloat16, onednn_has_bfloat16

_LEAST_ROWS = 64
_LEAST_WEIGHTS = 64 * 64
"""Smaller products take about as long either way."""
_FLOAT32_ERROR = 1e-5
"""More than the relative error of float32 products, a hundredth of that of bfloat16."""


def use_onednn(network: nn.Module, compute: Compute) -> None:
    """Let the linear layers of a network compute by oneDNN where that is faster and as exact."""
    if compute.device.type != "cpu" or compute.dtype != torch.float32 or not onednn_is_faster():
        return
    for module in network.modules():
        # Exactly these: derived layers compute in their own way.
        if type(module) is nn.Linear and module.weight.numel() >= _LEAST_WEIGHTS:
            module.__class__ = OneDnnLinear


@cache
def onednn_is_faster() -> bool:
    """Return whether oneDNN computes float32 products with wider instructions than MKL, exactly."""
    if not (onednn_has_bfloat16() and cpu_multiplies_bfloat16()):
        return False
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(128, 128, generator=generator) for _ in range(2))
    with _OneDnn():
        product = one @ other
    exact = one.double() @ other.double()
    return float((product - exact).norm() / exact.norm()) < _FLOAT32_ERROR


class OneDnnLinear(nn.Linear):
    """A linear layer with the weights, names and results of torch's own."""

    def forward(self, input: Tensor) -> Tensor:
        """Return ``[..., out_features]`` for ``[..., in_features]``."""
        rows = input.numel() // max(1, input.shape[-1])
        if rows < _LEAST_ROWS or torch.is_autocast_enabled("cpu") or not self._plain(input):
            return F.linear(input, self.weight, self.bias)
        product: Tensor = _Product.apply(input.reshape(rows, -1), self.weight)
        if self.bias is not None:
            product = product + self.bias
        return product if input.dim() == 2 else product.view(*input.shape[:-1], -1)

    def _plain(self, input: Tensor) -> bool:
        weight = self.weight
        kinds = type(input) is Tensor and type(weight) is nn.Parameter
        return kinds and input.dtype == weight.dtype == torch.float32 and weight.is_cpu

    def _get_name(self) -> str:
        return "Linear"


class _Product(torch.autograd.Function):
    """``rows @ weight.T`` and its gradients, in blocks of rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _by_blocks(rows, weight.t())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        of_rows, of_weight = ctx.needs_input_grad
        return (
            _by_blocks(gradient, weight) if of_rows else None,
            _summed(gradient, rows) if of_weight else None,
        )


def _by_blocks(rows: Tensor, matrix: Tensor) -> Tensor:
    """Return ``rows @ matrix``."""
    product = rows.new_empty(len(rows), matrix.shape[1])
    done = 0
    with _OneDnn():
        for begin, end in _blocks(len(rows)):
            torch.mm(rows[begin:end], matrix, out=product[begin:end])
            done = end
    if done < len(rows):
        torch.mm(rows[done:], matrix, out=product[done:])
    return product


def _summed(gradient: Tensor, rows: Tensor) -> Tensor:
    """Return ``gradient.T @ rows``."""
    total = gradient.new_zeros(gradient.shape[1], rows.shape[1])
    done = 0
    with _OneDnn():
        for begin, end in _blocks(len(rows)):
            total.addmm_(gradient[begin:end].t(), rows[begin:end])
            done = end
    if done < len(rows):
        total.addmm_(gradient[done:].t(), rows[done:])
    return total


def _blocks(rows: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of blocks of 64 rows and more whose sizes have three significant bits."""
    begin = 0
    while (left := rows - begin) >= _LEAST_ROWS:
        shift = max(_LEAST_ROWS.bit_length() - 1, left.bit_length() - 3)
        size = left >> shift << shift
        yield begin, begin + size
        begin += size


class _OneDnn:
    """A context within which oneDNN computes products; one that is entered often."""

    def __enter__(self) -> None:
        self._before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")

    def __exit__(self, *_: object) -> None:
        torch.set_float32_matmul_precision(self._before)
