"""Bands that follow the errors of the latest forecasts whose truth is known.

What is fitted on the validation rows is too wide or too narrow once the series becomes calmer or
livelier than it was. Split-conformal correction on the latest windows, in the manner of
Wisniewski, Lindsay and Lindsay 2020, "Application of conformal prediction interval estimations to
market makers' net positions", follows it, from no more than a forecaster knows at the time.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.metrics.forecasts.bands import Bands, calibrate

RECENT = 1000
"""Latest windows that bands are fitted on; of fewer, they are mixed with those of validation.

Chosen among 250, 500, 1,000 and 2,000 on the later half of the validation rows of three data sets:
the coverage nearest to 80 %, and none with a lower quantile loss in all."""
FEWEST = 100
"""Windows from which on the latest count at all."""
_KEPT = 250
"""Windows that stand for the latest ones, evenly spaced: neighbours have nearly the same errors."""
_VALUES = 2**24
"""Values of their forecasts that are kept at most."""

Windows = tuple[Tensor, Tensor, Tensor]
"""A network's outputs for some windows, their truths, and which of these count."""


def recent_bands(bands: Bands, latest: Windows, count: int, every: int = 1) -> Bands:
    """Return ``bands`` mixed with those that ``latest`` ask for, by the share of windows known.

    ``latest`` are every ``every``-th of the last ``count`` windows.
    """
    count = min(count, RECENT)
    if bands.factors is None or count < FEWEST:
        return bands
    forecast, truth, known = (part[-max(1, RECENT // every) :] for part in latest)
    fewest, before = FEWEST // every, bands.factors.cpu()
    found = calibrate(bands.levels, forecast, truth, known, fewest, before)
    if found is None:
        return bands
    share = count / RECENT
    return replace(bands, factors=(1 - share) * bands.factors + share * found)


def kept_every(values: int) -> int:
    """Return that every how many windows one stands for the latest; forecasts have ``values``."""
    return max(RECENT // _KEPT, -(-RECENT * values // _VALUES))


def known_before(window: int, apart: int) -> int:
    """Return how many windows of a series have shown their truth when its bands are fitted.

    These are those in force at a window, by its number; the truth of one is known ``apart`` later.
    """
    return window - window % _refitted_every(apart) - apart


def _refitted_every(apart: int) -> int:
    return max(1, apart // 2)


class FollowingBands:
    """Bands of windows that come in the order of time, each with what was known at its time."""

    def __init__(self, bands: Bands, apart: int) -> None:
        """``apart`` is the number of windows after which the truth of a window is known."""
        self._static = self._bands = bands
        self._apart = apart
        self._step = _refitted_every(apart)
        self._kept: Windows | None = None
        self._every = 0
        self._seen = 0

    def quantiles(self, forecast: Tensor, truth: Tensor, known: Tensor) -> Tensor | None:
        """The quantiles of the next windows, by the errors of those before them."""
        if self._static.factors is None:
            return self._static.quantiles(forecast)
        self._every = self._every or kept_every(forecast[0].numel())
        found, begin = [], 0
        while begin < len(forecast):
            if self._seen % self._step == 0:
                self._bands = self._refitted()
            end = min(len(forecast), begin + self._step - self._seen % self._step)
            some = slice(begin, end)
            quantiles = self._bands.quantiles(forecast[some])
            assert quantiles is not None
            found.append(quantiles)
            self._keep(forecast[some], truth[some], known[some])
            begin = end
        return torch.cat(found)

    def _keep(self, *windows: Tensor) -> None:
        chosen = slice(-self._seen % self._every, None, self._every)
        self._seen += len(windows[0])
        new = [part[chosen].cpu() for part in windows]
        before = self._kept or tuple(part[:0] for part in new)
        most = (RECENT + self._apart + self._step) // self._every + 1
        forecast, truth, known = (
            torch.cat(parts)[-most:] for parts in zip(before, new, strict=True)
        )
        self._kept = forecast, truth, known

    def _refitted(self) -> Bands:
        """The bands that are known before the next window: without what the last have not shown."""
        count = known_before(self._seen, self._apart)
        if self._kept is None or count < 1:
            return self._static
        # The kept windows are every ``every``-th from the first on.
        hidden = -(-self._seen // self._every) - -(-count // self._every)
        forecast, truth, known = (part[: len(part) - hidden] for part in self._kept)
        return recent_bands(self._static, (forecast, truth, known), count, self._every)
