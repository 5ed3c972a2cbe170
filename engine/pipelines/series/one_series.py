"""One series as data of forecasting: what is fitted on it, and how long it must be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.series.read import Series
from engine.data.series.seasonality import find_season
from engine.data.series.splits import series_note, split_series
from engine.errors import DataError
from engine.pipelines.series.channels import described, fit_channels
from engine.pipelines.series.fitted import SeriesFitted


def fit_series(table: pa.Table, season: int) -> SeriesFitted:
    """Means, deviations and season of the training rows; a ``season`` of 0 is found."""
    note, series = series_note(table), split_series(table)
    roles, count = note.roles, len(note.roles.targets)
    channels = fit_channels(series.values, roles)
    season = season or find_season(series.values[:, 0], note.frequency.seasons)
    return SeriesFitted(
        **described(note),
        **channels,
        season=season,
        trained_to=(int(series.times[-1]),) if roles.time else (),
        naive_error=_mean_change(series, count, season).tolist(),
        naive_squared=_mean_change(series, count, season, power=2).tolist(),
    )


def check_lengths(splits: Mapping[str, Series], window: int, horizon: int) -> None:
    """Raise :class:`DataError` for a split without room for a window and its horizon."""
    for name, series in splits.items():
        if 0 < len(series) < window + horizon:
            raise DataError(
                f"The {name} rows are too few: {len(series):,}, where a window of {window:,} "
                f"and a horizon of {horizon:,} need {window + horizon:,}.",
                "Lower task.window or task.horizon, or give the split more rows.",
            )


def _mean_change(series: Series, targets: int, season: int, power: int = 1) -> NDArray[np.float64]:
    """The mean change of each target over one season, between values that were not filled in.

    A change counts by its size to the ``power``.
    """
    values = series.values[:, :targets]
    known = np.ones(values.shape) if series.filled is None else ~series.filled[:, :targets] * 1.0
    pairs = known[season:] * known[:-season]
    changes: NDArray[np.float64] = np.abs(values[season:] - values[:-season]) ** power * pairs
    mean: NDArray[np.float64] = changes.sum(0) / np.maximum(pairs.sum(0), 1)
    return mean
