"""Bands of the windows of one or many series, each series by the errors of its own latest ones."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.metrics.forecasts.bands import Bands
from engine.metrics.forecasts.recent_bands import FEWEST, FollowingBands


class SeriesBands:
    """Bands of windows that come series by series, those of each in the order of time."""

    def __init__(self, bands: Bands, apart: int) -> None:
        """``apart`` is the number of windows after which the truth of a window is known."""
        self._static = bands
        self._apart = apart
        self._series = -1
        self._following = FollowingBands(bands, apart)

    def quantiles(
        self, forecast: Tensor, truth: Tensor, known: Tensor, series: Tensor
    ) -> Tensor | None:
        """The quantiles of the next windows; ``series`` ``[batch]`` is the number of each one's."""
        if self._static.factors is None:
            return self._static.quantiles(forecast)
        edges = torch.unique_consecutive(series, return_counts=True)[1].cumsum(0).tolist()
        numbers = series[[edge - 1 for edge in edges]].tolist()
        found: list[Tensor | None] = []
        begin = static = 0  # windows from ``static`` on wait for bands that follow nothing
        for number, end in zip(numbers, edges, strict=True):
            if number != self._series and not self._reaches(end - begin, end == len(series)):
                begin = end
                continue
            if number != self._series:
                self._series, self._following = number, FollowingBands(self._static, self._apart)
            found.append(self._static.quantiles(forecast[static:begin]))
            some = slice(begin, end)
            found.append(self._following.quantiles(forecast[some], truth[some], known[some]))
            begin = static = end
        found.append(self._static.quantiles(forecast[static:]))
        return torch.cat([part for part in found if part is not None])

    def _reaches(self, windows: int, last: bool) -> bool:
        """Whether bands can follow within a series' first windows, or behind them."""
        return last or windows > FEWEST + self._apart
