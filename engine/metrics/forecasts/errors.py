"""Errors of forecasts, in the units of the data and standardised, from sums over windows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.metrics.forecasts.quantiles import QuantileErrors
from engine.reports.views import Lines, Table, View

SHOWN_TARGETS = 3
_DIGITS = 6


@dataclass(frozen=True)
class Scales:
    """Scales that turn standardised errors of each target into other errors."""

    targets: Sequence[str]
    mean: Sequence[float]
    std: Sequence[float]
    naive_error: Sequence[float]
    """Mean absolute error of repeating the season before, on the training rows."""
    naive_squared: Sequence[float] = ()
    """Mean squared error of the same; empty for models that do not know it."""


class ForecastErrors:
    """Metrics from sums over windows."""

    def __init__(
        self,
        sums: NDArray[np.float64],
        scales: Scales,
        quantiles: QuantileErrors | None = None,
        own: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> None:
        """``sums`` are ``[8, horizon, targets]``, in the order of
        :class:`~engine.metrics.forecasts.evaluator.ForecastEvaluator`:

        errors squared, absolute, loss, truth, its square, relative errors, sizes of the truth, and
        the number of truths. ``own`` are metrics of each target by the scales of its series.
        """
        self._own = own or {}
        self._quantiles = quantiles
        *self._sums, self._counts = sums
        self.squared, self.absolute = (_divided(s, self._counts) for s in self._sums[:2])
        self.scales = scales
        self.horizon = len(self._counts)
        self.std = np.asarray(scales.std)

    def by_target(self) -> dict[str, NDArray[np.float64]]:
        """Each metric for each target. Sources: MASE, Hyndman and Koehler 2006, with the season of
        the series; R² over all windows and steps of a target, as scikit-learn pools them.
        """
        counts = self._counts.sum(0)
        squared, absolute, loss, truth, truth_squared, relative, _ = (
            _divided(part.sum(0), counts) for part in self._sums
        )
        variance = truth_squared - truth**2
        naive = np.asarray(self.scales.naive_error)
        mae = absolute * self.std
        return {
            "mse_scaled": squared,
            "mae_scaled": absolute,
            "loss": loss,
            "mse": squared * self.std**2,
            "rmse": np.sqrt(squared) * self.std,
            "mae": mae,
            "mase": _divided(mae, naive),
            "r2": 1 - _divided(squared, variance),
            "smape": relative,
            **self._root_scaled(squared * self.std**2),
            **(self._quantiles.by_target() if self._quantiles else {}),
            **self._own,
        }

    def _root_scaled(self, mse: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """RMSSE as in the M5 competition, with the season of the series in place of one step."""
        naive = np.asarray(self.scales.naive_squared)
        return {"rmsse": np.sqrt(_divided(mse, naive))} if len(naive) else {}

    def metrics(self) -> dict[str, float]:
        """The means over the targets that have truths, or a scale; NaN where none has."""
        each = ((name, values[np.isfinite(values)]) for name, values in self.by_target().items())
        return {name: float(known.mean()) if len(known) else math.nan for name, known in each}

    def views(self) -> list[View]:
        """Metrics by target, and errors by step."""
        targets = self.by_target()
        shown = ("mse_scaled", "rmse", "mae", "mase", "smape", "r2", "wql", "coverage")
        names = [name for name in shown if name in targets]
        table = Table(
            "Errors by target",
            ["target", *names],
            [
                [target, *(_cell(targets[name][i]) for name in names)]
                for i, target in enumerate(self.scales.targets)
            ],
        )
        bands = self._quantiles.views(self.std) if self._quantiles else []
        return [*bands, table, self._step_lines(), self._step_table()]

    def _step_lines(self) -> Lines:
        rmse = np.sqrt(self.squared) * self.std
        steps = list(map(float, range(1, len(rmse) + 1)))
        shown = list(enumerate(self.scales.targets))[:SHOWN_TARGETS]
        return Lines("RMSE by step", steps, {name: rounded(rmse[:, i]) for i, name in shown})

    def _step_table(self) -> Table:
        columns = {
            "mse_scaled": _mean_known(self.squared),
            "rmse": _mean_known(np.sqrt(self.squared) * self.std),
            "mae": _mean_known(self.absolute * self.std),
        }
        if self._own:
            # The scale of all rows together says little of series of different sizes.
            del columns["mse_scaled"]
        steps = enumerate(zip(*columns.values(), strict=True), 1)
        rows = [[i, *map(_cell, step)] for i, step in steps]
        return Table("Errors by step", ["step", *columns], rows)


def _mean_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the targets that have truths at a step; NaN where none has."""
    known = np.isfinite(values)
    return _divided(np.where(known, values, 0.0).sum(1), known.sum(1).astype(np.float64))


def _divided(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _cell(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None


def rounded(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers for a chart, and ``None`` for those that are not finite.

    They have the decimals with which the largest has six digits: float32 knows no more of the small
    ones where it kept them beside larger ones, as 0 in a series of hundreds.
    """
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    decimals = _DIGITS - 1 - math.floor(math.log10(largest)) if largest else 0
    return [round(float(v), decimals) if np.isfinite(v) else None for v in values]
