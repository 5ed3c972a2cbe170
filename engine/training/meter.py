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
    """A meter's state at one moment."""

    loss: float | None
    grad_norm: float | None
    rate: float
    """Terms of the loss (samples or tokens) a second."""
    finite: bool


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
        self._since = time.perf_counter()

    def add(self, loss: Tensor, weight: float) -> None:
        """Take in the loss of a batch, a scalar on the device, without its graph."""
        self._losses.append(loss)
        self._weights.append(weight)

    def set_norm(self, norm: Tensor) -> None:
        """Take in the gradient norm of an update."""
        self._norm = norm

    def fetch(self) -> Reading:
        """What was added since the last call; waits for the device."""
        now = time.perf_counter()
        losses = torch.stack(self._losses).tolist() if self._losses else []
        total = sum(self._weights)
        weighted = 0.0
        for loss, weight in zip(losses, self._weights, strict=True):
            weighted += loss * weight
            self._position.loss_sum += loss * weight
            self._position.loss_weight += weight
        norm = None if self._norm is None else float(self._norm)
        reading = Reading(
            loss=weighted / total if total else None,
            grad_norm=norm,
            rate=total / max(now - self._since, 1e-9),
            finite=all(map(math.isfinite, losses)) and (norm is None or math.isfinite(norm)),
        )
        self._losses, self._weights, self._since = [], [], now
        return reading

    def restart_clock(self) -> None:
        """Do not count the time since the last fetch: it went into something else."""
        self._since = time.perf_counter()
