"""A few numbers that each batch needs, copied to a device once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class DeviceConstant:
    """A tensor of fixed numbers on each device that asks for it.

    To copy them for each batch anew would let a GPU wait for the CPU.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self._values = list(values)
        self._copies: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return ``[values]`` on the device of ``tensor``, of its type or of ``dtype``."""
        key = tensor.device, dtype or tensor.dtype
        if key in self._copies:
            return self._copies[key]
        # A first use in an evaluation must not make it useless for gradients.
        with torch.inference_mode(mode=False):
            copy = torch.tensor(self._values, device=key[0], dtype=key[1])
        # Tensors of an estimate of memory have no values, and stay among themselves.
        if type(copy) is Tensor and type(tensor) is Tensor:
            self._copies[key] = copy
        return copy
