"""Windows of one series for a network, in the scale of its training rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.series.filled_past import FilledPast
from engine.data.series.read import Series
from engine.data.series.time_features import with_time_features
from engine.data.series.windows import WindowSource
from engine.pipelines.series.fitted import SeriesFitted, roles_of


def series_source(
    series: Series, fitted: SeriesFitted, section: ForecastingConfig, device: torch.device
) -> WindowSource:
    """All windows of a series."""
    scaled = ((series.values - fitted.mean) / fitted.std).astype(np.float32)
    scaled = with_time_features(
        scaled, series.times, series.frequency, section.calendar, section.holidays
    )
    count = len(fitted.targets)
    filled = None if series.filled is None else series.filled[:, :count]
    known = None
    if filled is not None and filled.any():
        known = torch.from_numpy(~filled).to(device)
    channels = roles_of(fitted).past
    marks = None if series.filled is None else series.filled[:, :channels]
    return WindowSource(
        torch.from_numpy(scaled).to(device),
        torch.tensor(series.times, device=device),
        known,
        FilledPast.of(marks, np.array([0, len(series)]), device),
        channels=channels,
        targets=count,
        window=section.window,
        horizon=section.horizon,
        stride=section.stride,
    )


def with_unknown_future(
    series: Series, known: NDArray[np.float64], window: int, horizon: int
) -> Series:
    """Return the last window of a series, and behind it the steps of the horizon.

    ``known`` holds the channels that are known ahead, ``[horizon, channels]``; the others, which
    stand before them, are 0.
    """
    series = series.slice(len(series) - window, len(series))
    times = series.frequency.along(int(series.times[-1]), np.arange(1, horizon + 1))
    past = np.zeros((horizon, series.values.shape[1] - known.shape[1]))
    future = Series(times, np.concatenate([past, known], 1), series.frequency)
    return future.after(series)
