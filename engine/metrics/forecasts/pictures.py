"""Pictures of forecasts against the truth: the worst one, and some spread over the split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.metrics.forecasts.bands import Bands
from engine.metrics.forecasts.errors import SHOWN_TARGETS, Scales, rounded
from engine.reports.views import Lines, View

Dates = Callable[[int, NDArray[np.int64]], Sequence[str]]
"""Returns the texts of the times that are some steps after a time."""

_SHOWN_WINDOWS = 3
_SHOWN_PAST = 2
"""Horizons of the past that are drawn before a forecast."""


@dataclass(frozen=True)
class Windows:
    """Windows ``[windows, steps, targets]`` of one batch, standardised, on the device."""

    past: Tensor
    truth: Tensor
    """NaN where it is not known."""
    forecast: Tensor
    time: Tensor
    error: Tensor
    """One number a window."""
    quantiles: Tensor | None
    """``[windows, steps, targets, levels]``."""
    series: Tensor | None
    """The number of each window's series, where there are several."""

    def chosen(self, places: Tensor) -> Windows:
        """Return some of them."""
        quantiles, series = (
            None if part is None else part[places] for part in (self.quantiles, self.series)
        )
        return Windows(
            self.past[places],
            self.truth[places],
            self.forecast[places],
            self.time[places],
            self.error[places],
            quantiles,
            series,
        )


class Pictures:
    """Keeps two windows of each batch, its first and its worst, and draws a few of them."""

    def __init__(
        self,
        scales: Scales,
        bands: Bands,
        time_text: Callable[[int], str],
        dates: Dates | None = None,
        series_name: Callable[[int], str] = str,
    ) -> None:
        self._scales = scales
        self._bands = bands
        self._time_text = time_text
        self._dates = dates
        self._series_name = series_name
        self._kept: list[Windows] = []

    def keep(self, batch: Windows) -> None:
        """Keep what may be drawn of a batch."""
        worst = batch.error.argmax()
        self._kept.append(batch.chosen(torch.stack([torch.zeros_like(worst), worst])))

    def views(self) -> list[View]:
        """Draw windows spread over all batches, and the worst one."""
        spread = np.unique(np.linspace(0, len(self._kept) - 1, _SHOWN_WINDOWS + 1).round())
        errors = torch.stack([kept.error[1] for kept in self._kept])
        chosen = [("Forecast", int(place), 0) for place in spread[:_SHOWN_WINDOWS]]
        chosen.append(("Worst forecast", int(errors.argmax()), 1))
        targets = list(enumerate(self._scales.targets))[:SHOWN_TARGETS]
        return [
            self._drawn(f"{title} of {name} after {self._when(kept, which)}", kept, which, target)
            for title, place, which in chosen
            for kept in [self._kept[place]]
            for target, name in targets
        ]

    def _when(self, kept: Windows, which: int) -> str:
        when = self._time_text(int(kept.time[which]))
        if kept.series is None:
            return when
        return f"{when}, {self._series_name(int(kept.series[which]))}"

    def _drawn(self, title: str, kept: Windows, which: int, target: int) -> Lines:
        mean, std = self._scales.mean[target], self._scales.std[target]
        past, truth, forecast = (
            part[which, :, target].cpu().numpy() * std + mean
            for part in (kept.past, kept.truth, kept.forecast)
        )
        bands = {}
        if kept.quantiles is not None:
            own = kept.quantiles[which, :, target].cpu().numpy() * std + mean
            ends = {0, len(self._bands.levels) - 1} - {self._bands.median}
            bands = {f"{self._bands.levels[end]:g}": own[:, end] for end in ends}
        picture = forecast_picture(title, past, truth, forecast, bands)
        if self._dates is None:
            return picture
        steps = np.array(picture.x, np.int64)
        return replace(picture, labels=self._dates(int(kept.time[which]), steps))


def forecast_picture(
    title: str,
    past: NDArray[np.float64],
    truth: NDArray[np.float64],
    forecast: NDArray[np.float64],
    bands: Mapping[str, NDArray[np.float64]],
) -> Lines:
    """Return the end of the past, then truth and forecast; the first forecast step is at 1.

    The ends of the widest band follow, named by their quantiles.
    """
    past = past[-_SHOWN_PAST * len(truth) :]
    return _picture(title, "truth", [*rounded(past), *rounded(truth)], forecast, bands)


def coming_picture(
    title: str,
    past: NDArray[np.float64],
    forecast: NDArray[np.float64],
    bands: Mapping[str, NDArray[np.float64]],
) -> Lines:
    """Return all of the past, then the forecast of what is not known yet."""
    known = [*rounded(past), *[None] * len(forecast)]
    return _picture(title, "past", known, forecast, bands)


def _picture(
    title: str,
    name: str,
    known: Sequence[float | None],
    forecast: NDArray[np.float64],
    bands: Mapping[str, NDArray[np.float64]],
) -> Lines:
    """Return what is ``known`` of all steps, and the forecast of the last ones with its bands."""
    horizon = len(forecast)
    nothing: list[float | None] = [None] * (len(known) - horizon)
    series = {name: known, "forecast": [*nothing, *rounded(forecast)]}
    series |= {level: [*nothing, *rounded(values)] for level, values in sorted(bands.items())}
    return Lines(title, list(map(float, range(1 - len(nothing), horizon + 1))), series)
