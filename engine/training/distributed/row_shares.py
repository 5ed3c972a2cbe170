"""The rows of a batch that a process computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RowShares:
    """The rows of one among processes that each compute others; one alone computes all."""

    replica: int = 0
    """This process's number among :attr:`replicas`."""
    replicas: int = 1
    """Number of processes that each compute other rows."""
    all_compute: bool = False
    """Whether a process without rows of its own must compute some, as the others need it."""

    def of(self, plan: Sequence[Tensor], least: int) -> Sequence[Tensor]:
        """Return this process's rows of each batch, which differ by one row at most.

        They are none if the others have only ``least`` each and do not need it.
        """
        return plan if self.replicas == 1 else [self._part(rows, least) for rows in plan]

    def _part(self, rows: Tensor, least: int) -> Tensor:
        parts = self._parts(rows, least)
        if self.replica < parts:
            return torch.tensor_split(rows, parts)[self.replica]
        return rows[: least if self.all_compute else 0]

    def _parts(self, rows: Tensor, least: int) -> int:
        return max(1, min(self.replicas, len(rows) // least))

    def idle(self, rows: Tensor, least: int) -> bool:
        """Return whether these rows have weight 0: their pass only serves the others."""
        return self.all_compute and self.replica >= self._parts(rows, least)
