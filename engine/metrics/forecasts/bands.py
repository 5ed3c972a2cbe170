"""Bands around a forecast, made to hold by split-conformal correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_FEWEST = 200
"""Windows that each step of the horizon is corrected by itself from; fewer are pooled."""
_THINNEST = 1e-6


@dataclass(frozen=True)
class Bands:
    """Quantile levels, and how far from the point forecast each of them lies."""

    levels: tuple[float, ...]
    factors: Tensor | None = None
    """Of each step, target and level ``[horizon, targets, levels]``, the distance to the point
    forecast in standard deviations; for a network that forecasts quantiles, what their own
    distances are multiplied by."""

    @property
    def median(self) -> int:
        """Place of the point forecast among the levels."""
        return self.levels.index(0.5)

    def point(self, forecast: Tensor) -> Tensor:
        """``[batch, horizon, targets]`` of what a network returned."""
        return forecast[..., self.median] if forecast.ndim == 4 else forecast

    def quantiles(self, forecast: Tensor) -> Tensor | None:
        """``[batch, horizon, targets, levels]`` in rising order; ``None`` if none are known."""
        if self.factors is None:
            return forecast if forecast.ndim == 4 else None
        point, width = self.point(forecast).unsqueeze(3), _widths(forecast, self.median)
        # Factors below the median are at most 0 and those above at least 0, so the point forecast
        # stays in its place.
        return (point + self.factors.to(forecast.device) * width).sort(3).values

    def every(self, forecast: Tensor) -> Tensor:
        """The quantiles; where none are known, the point forecast in place of each."""
        quantiles = self.quantiles(forecast)
        if quantiles is None:
            return self.point(forecast).unsqueeze(3).expand(-1, -1, -1, len(self.levels))
        return quantiles


def _widths(forecast: Tensor, median: int) -> Tensor:
    """Distances of the quantiles from the median, 1 where a network forecasts a single value."""
    if forecast.ndim == 3:
        return torch.ones_like(forecast).unsqueeze(3)
    return (forecast - forecast[..., median : median + 1]).abs()


def calibrate(
    levels: Sequence[float],
    forecast: Tensor,
    truth: Tensor,
    known: Tensor,
    fewest: int = _FEWEST,
    before: Tensor | None = None,
) -> Tensor | None:
    """Factors of :class:`Bands` that hold on windows which the network was not trained on.

    ``forecast`` is ``[windows, horizon, targets]`` or has the levels behind that; ``known`` marks
    the truths that count. Of fewer windows than ``fewest``, all steps share a factor. A target
    without any truth gets the factors ``before``, else those of all targets together, or the
    network's own quantiles.
    Split-conformal prediction of each tail by itself, with distances relative to the network's own
    quantiles where it has them: Romano, Patterson and Candès 2019, "Conformalized Quantile
    Regression"; Sesia and Candès 2020 for the relative form.
    """
    if not known.any():
        return None
    bands = Bands(tuple(levels))
    widths = _widths(forecast, bands.median).clamp(min=_THINNEST)
    error = truth - bands.point(forecast)
    error = error.where(known, torch.nan)
    factors = []
    for place, level in enumerate(levels):
        scores = error / widths[..., place if forecast.ndim == 4 else 0]
        found = _tail(scores, level, pooled=len(error) < fewest)
        factors.append(_outward(_of_target(found, scores, level), level))
    whole = torch.stack(factors, 2)
    none = ~known.flatten(0, 1).any(0)
    if none.any():
        others = _without_truth(forecast, error, levels) if before is None else before[:, none]
        whole[:, none] = others
    return whole.sort(2).values if forecast.ndim == 3 else whole


def _of_target(found: Tensor, scores: Tensor, level: float) -> Tensor:
    """The factors ``[horizon, targets]``; those of steps without a truth are of all steps."""
    none = ~scores.isfinite().any(0)
    return found.where(~none, _tail(scores, level, pooled=True)) if none.any() else found


def _without_truth(forecast: Tensor, error: Tensor, levels: Sequence[float]) -> Tensor:
    """The factors ``[horizon, 1, levels]`` of a target without any truth."""
    horizon = error.shape[1]
    if forecast.ndim == 4:
        return torch.tensor(levels).sub(0.5).sign().expand(horizon, 1, -1)
    scores = error.reshape(len(error), -1, 1)
    tails = (_outward(_tail(scores, q, pooled=True)[:horizon], q) for q in levels)
    return torch.stack([*tails], 2)


def _outward(factors: Tensor, level: float) -> Tensor:
    """Factors that lead away from the point forecast, which has none."""
    if level == 0.5:
        return torch.zeros_like(factors)
    return factors.clamp(max=0) if level < 0.5 else factors.clamp(min=0)


def _tail(scores: Tensor, level: float, pooled: bool) -> Tensor:
    """The quantile of scores at each step and target, with the correction for a finite number.

    The ``n`` scores and the one to come are exchangeable, so the order statistic is taken among
    ``n + 1``.
    """
    count, horizon, targets = scores.shape
    if pooled:
        flat = scores.reshape(count * horizon, 1, targets)
        return _tail(flat, level, pooled=False).expand(horizon, targets)
    known = scores.isfinite().sum(0)
    outward = level if level > 0.5 else 1 - level
    # Scores that are not known sort to the end of those of the upper tail.
    ordered = (scores if level > 0.5 else -scores).nan_to_num(nan=torch.inf).sort(0).values
    rank = ((known + 1) * outward).ceil().long().clamp(min=1).minimum(known.clamp(min=1)) - 1
    found = ordered.gather(0, rank.unsqueeze(0)).squeeze(0).nan_to_num(posinf=0.0)
    return found if level > 0.5 else -found
