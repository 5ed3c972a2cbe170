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
    past_known: Tensor
    """Bool, whether a value of the past was not filled in."""
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
            self.past_known[places],
            self.truth[places],
            self.forecast[places],
            self.time[places],
            self.error[places],
            quantiles,
            series,
        )


def past_of(inputs: Mapping[str, Tensor], targets: int) -> tuple[Tensor, Tensor]:
    """Return the past of the targets of a batch, and whether each value was not filled in.

    Both are ``[batch, window, targets]``; steps before the first row of a series are NaN.
    """
    past = inputs["past"][..., :targets]
    known = inputs.get("past_known")
    if (seen := inputs.get("seen")) is not None:
        steps = torch.arange(-past.shape[1], 0, device=past.device)
        past = past.where((steps >= -seen[:, None])[..., None], torch.nan)
    return past, torch.ones_like(past, dtype=torch.bool) if known is None else known


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
        known = kept.past_known[which, :, target].cpu().numpy()
        bands = {}
        if kept.quantiles is not None:
            own = kept.quantiles[which, :, target].cpu().numpy() * std + mean
            ends = {0, len(self._bands.levels) - 1} - {self._bands.median}
            bands = {f"{self._bands.levels[end]:g}": own[:, end] for end in ends}
        picture = forecast_picture(title, past, known, truth, forecast, bands)
        if self._dates is None:
            return picture
        steps = np.array(picture.x, np.int64)
        return replace(picture, labels=self._dates(int(kept.time[which]), steps))


def forecast_picture(
    title: str,
    past: NDArray[np.float64],
    past_known: NDArray[np.bool_],
    truth: NDArray[np.float64],
    forecast: NDArray[np.float64],
    bands: Mapping[str, NDArray[np.float64]],
) -> Lines:
    """Return the end of the past, then truth and forecast; the first forecast step is at 1.

    The ends of the widest band follow, named by their quantiles, then the values of the past that
    were filled in, as points.
    """
    end = slice(-_SHOWN_PAST * len(truth), None)
    return _picture(title, "truth", past[end], past_known[end], truth, forecast, bands)


def coming_picture(
    title: str,
    past: NDArray[np.float64],
    past_known: NDArray[np.bool_],
    forecast: NDArray[np.float64],
    bands: Mapping[str, NDArray[np.float64]],
) -> Lines:
    """Return all of the past, then the forecast of what is not known yet."""
    truth = np.full(len(forecast), np.nan)
    return _picture(title, "past", past, past_known, truth, forecast, bands)


def _picture(
    title: str,
    name: str,
    past: NDArray[np.float64],
    past_known: NDArray[np.bool_],
    truth: NDArray[np.float64],
    forecast: NDArray[np.float64],
    bands: Mapping[str, NDArray[np.float64]],
) -> Lines:
    """Return past and truth as one curve, and the forecast with its bands behind the past.

    Values of the past that were filled in are points apart, and counted in their name.
    """
    known = np.where(past_known, past, np.nan)
    nothing, ahead = [None] * len(past), [None] * len(forecast)
    series: dict[str, Sequence[float | None]] = {
        name: [*rounded(known), *rounded(truth)],
        "forecast": [*nothing, *rounded(forecast)],
    }
    series |= {level: [*nothing, *rounded(values)] for level, values in sorted(bands.items())}
    filled = ~past_known & np.isfinite(past)
    points = [f"filled in ({filled.sum()})"] * bool(filled.any())
    series |= {name: [*rounded(np.where(filled, past, np.nan)), *ahead] for name in points}
    x = list(map(float, range(1 - len(past), len(forecast) + 1)))
    return Lines(title, x, series, points=points)
