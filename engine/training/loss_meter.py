"""Losses from the device to the events: kept on the device, fetched a few times a second."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.training.checkpoints.state import Position

_MOST_OVERFLOWS = 40
"""Times in a row that a scaler can halve its factor: from 2¹⁶ to 2⁻²⁴, the least in float16."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The updates since the previous reading."""

    loss: float | None
    """Mean loss, ``None`` where there was no update."""
    grad_norm: float | None
    """Gradient norm of the last update."""
    rate: float
    """Terms of the loss (samples or tokens) a second."""


class Meter:
    """Collects each update's loss without waiting for the device.

    Sums are added to the position in the order of the updates, whenever they are fetched.
    """

    def __init__(self, position: Position, scaled: bool = False) -> None:
        """``scaled`` if gradients may overflow as a scaler of float16 is looking for its factor."""
        self._position = position
        self._scaled = scaled
        self.overflows = 0
        """Updates in a row that the scaler skipped up to the last one."""
        self._updates: list[tuple[Sequence[Tensor], Sequence[float], Tensor | None]] = []
        self._last_norm: float | None = None
        self._sum = self._weight = self._seconds = 0.0
        self._since = time.perf_counter()

    def add(self, losses: Sequence[Tensor], weights: Sequence[float], norm: Tensor | None) -> None:
        """Add an update: the losses of its batches, and its gradient norm if known.

        All are scalars on the device, without their graph.
        """
        self._updates.append((losses, weights, norm))

    def fetch(self) -> tuple[int, int]:
        """Fetch what was added since the last call; waits for the device.

        Returns the number of updates whose loss or gradient is not finite, and the longest such
        streak. The position counts how many of them came last. Their losses are not added.
        """
        tensors = [
            tensor
            for losses, _, norm in self._updates
            for tensor in (*losses, *(() if norm is None else (norm,)))
        ]
        numbers = iter(torch.stack(tensors).tolist() if tensors else ())
        bad = longest = 0
        for losses, weights, norm in self._updates:
            values = [next(numbers) for _ in losses]
            if self._are_good(values, None if norm is None else next(numbers)):
                self._position.bad_updates = 0
                self._count(values, weights)
            else:
                self._position.bad_updates += 1
                bad += 1
                longest = max(longest, self._position.bad_updates)
        self._updates = []
        now = time.perf_counter()
        self._seconds += now - self._since
        self._since = now
        return bad, longest

    def _are_good(self, losses: Sequence[float], norm: float | None) -> bool:
        """Return whether losses and norm are finite, or may be once the scaler has its factor."""
        finite = all(map(math.isfinite, losses))
        overflow = norm is not None and not math.isfinite(norm)
        self.overflows = self.overflows + 1 if finite and overflow else 0
        if self._scaled and 0 < self.overflows <= _MOST_OVERFLOWS:
            return True
        self._last_norm = self._last_norm if norm is None else norm
        return finite and not overflow

    def _count(self, losses: Sequence[float], weights: Sequence[float]) -> None:
        for loss, weight in zip(losses, weights, strict=True):
            self._sum += loss * weight
            self._weight += weight
            self._position.loss_sum += loss * weight
            self._position.loss_weight += weight

    def read(self) -> Reading:
        """Return the reading since the last one."""
        reading = Reading(
            loss=self._sum / self._weight if self._weight else None,
            grad_norm=self._last_norm,
            rate=self._weight / max(self._seconds, 1e-9),
        )
        self._sum = self._weight = self._seconds = 0.0
        return reading

    def restart_clock(self) -> None:
        """Exclude the time since the last fetch: it was not spent on training."""
        self._since = time.perf_counter()
