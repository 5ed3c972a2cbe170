"""Errors of single windows, and those at rolling origins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.metrics.uncertainty.window_draws import WindowPlaces
from engine.reports.views import Cell, Table

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

CUTOFF_METRICS = ("mse_cutoffs", "mae_cutoffs")
_NAMES = ("mse_scaled", "mae_scaled")


class WindowErrors:
    """Mean errors of each window over steps and targets, its series and when it forecasts.

    Windows come series by series, those of each in the order of time.
    """

    def __init__(self) -> None:
        self._times: list[Tensor] = []
        self._series: list[Tensor] = []
        self._errors: list[Tensor] = []

    def update(
        self, difference: Tensor, known: Tensor, times: Tensor, series: Tensor | None = None
    ) -> None:
        """Take in one batch; differences are 0 where the truth is not known.

        ``series`` ``[batch]`` is the number of each window's series, where there are several.
        """
        counts = known.sum((1, 2))
        sums = torch.stack([difference.square().sum((1, 2)), difference.abs().sum((1, 2))])
        self._times.append(times)
        if series is not None:
            self._series.append(series)
        # NaN where a window has no truths.
        self._errors.append(sums / counts)

    def absolute(self) -> Numbers:
        """Mean absolute errors, in the order of the windows."""
        absolute: Numbers = self._all()[1]
        return absolute

    def places(self, apart: int) -> WindowPlaces | None:
        """Series and times of the windows, which overlap less than ``apart`` windows away.

        ``None`` where there is one series.
        """
        if not self._series:
            return None
        series, times = _whole(self._series), _whole(self._times)
        steps = np.diff(times)[np.diff(series) == 0]
        return WindowPlaces(series, times, int(np.median(steps)) * apart if len(steps) else 0)

    def _all(self) -> Numbers:
        errors: Numbers = torch.cat(self._errors, 1).cpu().double().numpy()
        return errors

    def _means(self, count: int, horizon: int) -> tuple[list[Whole], Numbers]:
        """The mean errors at the last ``count`` origins of each series, a horizon apart, and times.

        Origins of the series count back from the end of each, the earliest first.
        """
        times, errors = _whole(self._times), self._all()
        series = _whole(self._series) if self._series else np.zeros(len(times), np.int64)
        ends = np.flatnonzero(np.diff(series, append=-1))
        back = np.repeat(ends, np.diff(ends, prepend=-1)) - np.arange(len(times))
        # Where no window of an origin has a truth, there is nothing to take the mean of.
        known = np.isfinite(errors[0])
        numbers = np.unique(back[known & (back % horizon == 0)])[:count][::-1]
        origins = [times[known & (back == number)] for number in numbers]
        means = [errors[:, known & (back == number)].mean(1) for number in numbers]
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
        """Errors at ``count`` origins, a horizon apart back from the end; their mean and spread.

        ``horizon`` is in windows. ``None`` where nothing was evaluated, or there is no truth.
        """
        if not count or not self._times:
            return None
        origins, means = self._means(count, horizon)
        if not len(means):
            return None
        rows: list[list[Cell]] = [
            [_named(times, text), *map(float, mean)]
            for times, mean in zip(origins, means, strict=True)
        ]
        rows.append(["mean", *map(float, means.mean(0))])
        if len(means) > 1:
            rows.append(["standard deviation", *map(float, means.std(0, ddof=1))])
        fewer = f" ({len(means):,} of {count:,}: there is no room for more)"
        title = "Errors at cut-offs" + fewer * (len(means) < count)
        return Table(title, ["after", *_NAMES], rows)


def _named(times: Whole, text: Callable[[int], str]) -> str:
    """The time of an origin; of series that end at several times, the first and the last."""
    first, last = text(int(times.min())), text(int(times.max()))
    return first if first == last else f"{first} to {last}"


def _whole(parts: list[Tensor]) -> Whole:
    numbers: Whole = torch.cat(parts).cpu().numpy()
    return numbers
