"""Values of a window that were filled in, as far as they could be known at its end.

A gap that is drawn as a line ends in a value of the future of every window that ends within it.
There, the last value before the gap stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class FilledPast:
    """For each value of a series, the row before it that has one, and the row until which it lasts.

    Both are ``[rows, channels]``; a value that was not filled in has its own row twice.
    """

    before: Tensor
    """The row itself where its series has no value before it."""
    until: Tensor
    """The row of the next value, behind all rows where there is none."""

    @classmethod
    def of(cls, filled: Mask | None, starts: Numbers, device: torch.device) -> Self | None:
        """Return the rows for the ``filled`` values of series that begin at ``starts``.

        ``starts`` is ``[series + 1]``. ``None`` where nothing was filled in.
        """
        if filled is None or not filled.any():
            return None
        before, until = known_rows(filled, starts)
        kind = np.int32 if len(filled) < np.iinfo(np.int32).max else np.int64
        parts = (torch.from_numpy(part.astype(kind)).to(device) for part in (before, until))
        return cls(*parts)

    def shown(self, past: Tensor, values: Tensor, rows: Tensor, first: Tensor) -> Tensor:
        """Return ``past`` ``[batch, window, columns]`` as it was known before the rows ``first``.

        ``rows`` ``[batch, window]`` are those of ``values`` that it was taken from.
        """
        count = self.until.shape[1]
        late = self.until[rows] >= first[:, None, None]
        if not late.any():
            return past
        before = self.before[rows].long().flatten(0, 1)
        held = values[:, :count].gather(0, before).view(late.shape)
        return torch.cat([past[..., :count].where(~late, held), past[..., count:]], 2)


def known_rows(filled: Mask, starts: Numbers) -> tuple[Numbers, Numbers]:
    """Return the last row at or before each value, and the first at or behind it, that has one."""
    rows = np.arange(len(filled))[:, None]
    series = np.searchsorted(starts, rows[:, 0], side="right") - 1
    before = np.maximum.accumulate(np.where(filled, -1, rows), axis=0)
    before = np.where(before < starts[series][:, None], rows, before)
    never = len(filled)
    until = np.where(filled, never, rows)
    until = np.minimum.accumulate(until[::-1], axis=0)[::-1]
    until = np.where(until >= starts[series + 1][:, None], never, until)
    return before, np.ascontiguousarray(until)
