"""Losses on their way from the device to the events: kept there, fetched a few times a second."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.training.state import Position


@dataclass(frozen=True, slots=True)
class Reading:
    """The updates since the reading before."""

    loss: float | None
    """Mean loss, ``None`` where there was no update."""
    grad_norm: float | None
    """That of the last update."""
    rate: float
    """Terms of the loss (samples or tokens) a second."""


class Meter:
    """Collects each update's loss without waiting for the device.

    Sums go into the position in the order of the updates, so they do not depend on when they
    are fetched.
    """

    def __init__(self, position: Position) -> None:
        self._position = position
        self._losses: list[Tensor] = []
        self._weights: list[float] = []
        self._norm: Tensor | None = None
        self._last_norm: float | None = None
        self._sum = self._weight = self._seconds = 0.0
        self._since = time.perf_counter()

    def add(self, loss: Tensor, weight: float) -> None:
        """Take in the loss of a batch, a scalar on the device, without its graph."""
        self._losses.append(loss)
        self._weights.append(weight)

    def set_norm(self, norm: Tensor) -> None:
        """Take in the gradient norm of an update."""
        self._norm = norm

    def fetch(self) -> tuple[bool, bool]:
        """Add up what came since the last call; waits for the device.

        Tells whether all losses were finite, and whether the last gradient norm was.
        """
        losses = torch.stack(self._losses).tolist() if self._losses else []
        for loss, weight in zip(losses, self._weights, strict=True):
            self._sum += loss * weight
            self._weight += weight
            self._position.loss_sum += loss * weight
            self._position.loss_weight += weight
        self._losses, self._weights = [], []
        if self._norm is not None:
            self._last_norm, self._norm = float(self._norm), None
        now = time.perf_counter()
        self._seconds += now - self._since
        self._since = now
        return all(map(math.isfinite, losses)), math.isfinite(self._last_norm or 0.0)

    def read(self) -> Reading:
        """What was fetched since the last reading."""
        reading = Reading(
            loss=self._sum / self._weight if self._weight else None,
            grad_norm=self._last_norm,
            rate=self._weight / max(self._seconds, 1e-9),
        )
        self._sum = self._weight = self._seconds = 0.0
        return reading

    def restart_clock(self) -> None:
        """Do not count the time since the last fetch: it went into something else."""
        self._since = time.perf_counter()
