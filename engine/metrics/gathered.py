"""A network's outputs for many batches, collected where there is room."""

from __future__ import annotations

import torch
from torch import Tensor

_BYTES = 1 << 24


class Gathered:
    """Tensors of many batches in the memory of the computer, in the order in which they came.

    They leave the device when they are :data:`_BYTES` together: each copy waits until the device
    has caught up, and all of an evaluation's may not fit there.
    """

    def __init__(self) -> None:
        self._there: list[Tensor] = []
        self._here: list[Tensor] = []
        self._bytes = 0

    def add(self, tensor: Tensor) -> None:
        """Take in what belongs to one batch."""
        self._there.append(tensor)
        self._bytes += tensor.nbytes
        if self._bytes > _BYTES:
            self._fetch()

    def tensors(self) -> list[Tensor]:
        """All that was added, one for each batch."""
        self._fetch()
        return self._here

    def joined(self) -> Tensor:
        """All that was added as one tensor over all rows."""
        return torch.cat(self.tensors())

    def _fetch(self) -> None:
        self._here += [tensor.cpu() for tensor in self._there]
        self._there.clear()
        self._bytes = 0
