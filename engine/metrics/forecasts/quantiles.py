"""Metrics of quantile forecasts: weighted quantile loss, and coverage of the bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.reports.views import Cell, Lines, Table, Texts, View


def pinball_loss(quantiles: Tensor, truth: Tensor, levels: Sequence[float]) -> Tensor:
    """The loss of each quantile, ``[…, levels]`` for a truth of ``[…]`` (Koenker and Bassett 1978).

    ``q · (y - ŷ)`` where the truth lies above, ``(1 - q) · (ŷ - y)`` where it lies below.
    """
    level = torch.tensor(levels, dtype=quantiles.dtype, device=quantiles.device)
    difference = truth.unsqueeze(-1) - quantiles
    return torch.maximum(level * difference, (level - 1) * difference)


class QuantileSums:
    """Sums over windows of pinball losses, of truths inside each band, and of band widths."""

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(levels)
        self.bands = [(low, 1 - low) for low in self.levels if low < 0.5 and _has(levels, 1 - low)]
        self._sums: Tensor | None = None

    def update(self, quantiles: Tensor, truth: Tensor, known: Tensor, exact: torch.dtype) -> None:
        """Take in one batch, ``[batch, horizon, targets, levels]`` and the rest without levels."""
        parts = [*pinball_loss(quantiles.to(exact), truth.to(exact), self.levels).unbind(3)]
        for low, high in self.bands:
            ends = [quantiles[..., _place(self.levels, level)] for level in (low, high)]
            parts += [((truth >= ends[0]) & (truth <= ends[1])).to(exact), ends[1] - ends[0]]
        sums = torch.stack([(part * known).to(exact).sum(0) for part in parts])
        self._sums = sums if self._sums is None else self._sums + sums

    def result(self, size: NDArray[np.float64], counts: NDArray[np.float64]) -> QuantileErrors:
        """The metrics; both are ``[horizon, targets]`` of the truth: sums of sizes, and numbers.

        ``size`` is in standard deviations.
        """
        assert self._sums is not None
        sums = self._sums.cpu().double().numpy()
        count = len(self.levels)
        return QuantileErrors(
            self.levels,
            self.bands,
            sums[:count],
            sums[count::2],
            sums[count + 1 :: 2],
            size,
            counts,
        )


def _has(levels: Sequence[float], level: float) -> bool:
    return any(abs(level - other) < 1e-9 for other in levels)


def _place(levels: Sequence[float], level: float) -> int:
    return min(range(len(levels)), key=lambda i: abs(levels[i] - level))


class QuantileErrors:
    """Metrics of quantiles from sums, each of ``[…, horizon, targets]``."""

    def __init__(
        self,
        levels: tuple[float, ...],
        bands: list[tuple[float, float]],
        pinball: NDArray[np.float64],
        inside: NDArray[np.float64],
        width: NDArray[np.float64],
        size: NDArray[np.float64],
        counts: NDArray[np.float64],
    ) -> None:
        self.levels = levels
        self.bands = bands
        self._pinball = pinball
        self._inside = inside
        self._width = width
        self._size = size
        self._counts = counts

    def by_target(self) -> dict[str, NDArray[np.float64]]:
        """Weighted quantile loss as GluonTS and AutoGluon define its mean over the levels, and the
        coverage of the widest band.
        """
        metrics = {"wql": _over(2 * self._pinball.mean(0).sum(0), self._size.sum(0))}
        if self.bands:
            metrics["coverage"] = _over(self._inside[0].sum(0), self._counts.sum(0))
        return metrics

    def views(self, std: NDArray[np.float64]) -> list[View]:
        """Sentence, table and curves on how often the truth lay in the bands."""
        if not self.bands:
            return []
        shares = [float(_over(part.sum(), self._counts.sum())) for part in self._inside]
        said = {
            _name(band): f"The {_name(band)} held {share:.1%} of the values."
            for band, share in zip(self.bands, shares, strict=True)
        }
        rows: list[list[Cell]] = [
            [_name(band), share, float((part * std).sum() / self._counts.sum())]
            for band, share, part in zip(self.bands, shares, self._width, strict=True)
        ]
        by_step: dict[str, Sequence[float | None]] = {
            _name(band): [_number(x) for x in _over(part.sum(1), self._counts.sum(1))]
            for band, part in zip(self.bands, self._inside, strict=True)
        }
        steps = list(map(float, range(1, len(self._counts) + 1)))
        shown: list[View] = [
            Texts("Bands", [said]),
            Table("Coverage of the bands", ["band", "share inside", "mean width"], rows),
        ]
        return shown + [Lines("Share inside the bands by step", steps, by_step)] * (len(steps) > 1)


def _name(band: tuple[float, float]) -> str:
    return f"{100 * (band[1] - band[0]):.6g} % band"


def _over(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    above, below = np.asarray(above, float), np.asarray(below, float)
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
