"""Collects forecasts of validation windows, and fits bands on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.fitted import Fitted
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.forecasts.bands import calibrate

_MOST = 8192
"""Windows that are kept; of more, every second, then every fourth, and so on."""


class Calibrator(Evaluator):
    """Keeps forecasts and truths of evenly spaced windows, in bounded memory."""

    def __init__(
        self,
        forward: Callable[[nn.Module, Batch], Tensor],
        levels: Sequence[float],
        finish: Callable[[Tensor | None], Fitted],
    ) -> None:
        """``finish`` gets the factors of the bands, and returns what was fitted with them."""
        self._forward = forward
        self._levels = levels
        self._finish = finish
        self._kept: list[tuple[Tensor, ...]] = []
        self._every = 1
        self._seen = 0

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        truth = batch.targets
        first, count = -self._seen % self._every, len(truth)
        self._seen += count
        chosen = slice(first, None, self._every)
        known = batch.inputs.get("known", torch.ones_like(truth, dtype=torch.bool))
        forecast = self._forward(network, batch).float()
        # A view would keep its whole batch.
        parts = (part[chosen].to("cpu", copy=True) for part in (forecast, truth, known))
        self._kept.append(tuple(parts))
        if sum(len(part[0]) for part in self._kept) > _MOST:
            self._keep_every_second()

    def compute(self, views: bool = False) -> Evaluation:
        """No metrics, but what was fitted."""
        del views
        factors = calibrate(self._levels, *self._joined()) if self._kept else None
        fitted: Any = self._finish(factors)
        return Evaluation({}, fitted=fitted)

    def _keep_every_second(self) -> None:
        begin = 0
        for place, parts in enumerate(self._kept):
            self._kept[place] = tuple(part[begin % 2 :: 2].clone() for part in parts)
            begin += len(parts[0])
        self._every *= 2

    def _joined(self) -> tuple[Tensor, Tensor, Tensor]:
        forecast, truth, known = (torch.cat(part) for part in zip(*self._kept, strict=True))
        self._kept = [(forecast, truth, known)]  # the parts are not needed beside it
        return forecast, truth, known
