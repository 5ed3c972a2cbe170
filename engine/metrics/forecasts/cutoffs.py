"""Errors of single windows, and those at rolling origins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.reports.views import Cell, Table

CUTOFF_METRICS = ("mse_cutoffs", "mae_cutoffs")
_NAMES = ("mse_scaled", "mae_scaled")


class WindowErrors:
    """Mean errors of each window over steps and targets, and the time after which it forecasts."""

    def __init__(self) -> None:
        self._times: list[Tensor] = []
        self._errors: list[Tensor] = []

    def update(self, difference: Tensor, known: Tensor, times: Tensor) -> None:
        """Take in one batch; differences are 0 where the truth is not known."""
        counts = known.sum((1, 2))
        sums = torch.stack([difference.square().sum((1, 2)), difference.abs().sum((1, 2))])
        self._times.append(times)
        # NaN where a window has no truths.
        self._errors.append(sums / counts)

    def absolute(self) -> NDArray[np.float64]:
        """Mean absolute errors, in the order of the windows."""
        absolute: NDArray[np.float64] = self._all()[1]
        return absolute

    def _all(self) -> NDArray[np.float64]:
        errors: NDArray[np.float64] = torch.cat(self._errors, 1).cpu().double().numpy()
        return errors

    def _means(self, count: int, horizon: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The last ``count`` origins, a horizon apart, and the mean errors at each."""
        times, errors = torch.cat(self._times).cpu().numpy(), self._all()
        # Where no window of an origin has a truth, there is nothing to take the mean of.
        known = np.unique(times[np.isfinite(errors[0])])
        origins = np.unique(times)[::-1][::horizon]
        origins = origins[np.isin(origins, known)][:count][::-1]
        means = [np.nanmean(errors[:, times == origin], axis=1) for origin in origins]
        return origins, np.array(means)

    def metrics_at_cutoffs(self, count: int, horizon: int) -> dict[str, float]:
        """Means of the errors over ``count`` origins, which count alike; ``horizon`` in windows.

        NaN where no origin has a truth.
        """
        if not count or not self._times:
            return {}
        means = self._means(count, horizon)[1]
        found = means.mean(0).tolist() if len(means) else (np.nan, np.nan)
        return dict(zip(CUTOFF_METRICS, found, strict=True))

    def at_cutoffs(self, count: int, horizon: int, text: Callable[[int], str]) -> Table | None:
        """Errors at ``count`` origins, a horizon apart back from the last; their mean and spread.

        ``horizon`` is in windows. ``None`` where nothing was evaluated, or there is no truth.
        """
        if not count or not self._times:
            return None
        origins, means = self._means(count, horizon)
        if not len(means):
            return None
        rows: list[list[Cell]] = [
            [text(int(origin)), *map(float, mean)]
            for origin, mean in zip(origins, means, strict=True)
        ]
        rows.append(["mean", *map(float, means.mean(0))])
        if len(means) > 1:
            rows.append(["standard deviation", *map(float, means.std(0, ddof=1))])
        fewer = f" ({len(means):,} of {count:,}: there is no room for more)"
        title = "Errors at cut-offs" + fewer * (len(means) < count)
        return Table(title, ["after", *_NAMES], rows)
