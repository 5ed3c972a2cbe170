"""Level and spread of each of several series, by their training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.data.series.panel import Panel, Rows, find_keys

Numbers = NDArray[np.float64]


class SeriesScales(BaseModel):
    """The state that is fitted on each series, as columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: list[list[str]]
    """``[columns, series]``: the values that tell each series apart, as texts."""
    mean: list[list[float]]
    """``[channels, series]``, of targets and inputs."""
    std: list[list[float]]
    naive_error: list[list[float]]
    """``[targets, series]``: the mean change over one season; 0 where there is none."""
    naive_squared: list[list[float]]
    """``[targets, series]``: the mean squared change over one season."""


@dataclass(frozen=True)
class PanelScales:
    """Shift and scale of the channels of some series, ``[series, channels]``."""

    mean: Numbers
    std: Numbers
    places: Rows
    """``[series]``: the place of each in the order of training, -1 where it was not there."""


def fit_scales(panel: Panel, keys: list[list[str]], targets: int, season: int) -> SeriesScales:
    """Fit on the training rows; a series without any spread gets the usual one for its size."""
    mean, std = _moments(panel)
    std = _usable(mean, std, mean, std)
    return SeriesScales(
        keys=keys,
        mean=mean.T.tolist(),
        std=std.T.tolist(),
        naive_error=_changes(panel, targets, season).T.tolist(),
        naive_squared=_changes(panel, targets, season, power=2).T.tolist(),
    )


def scales_for(
    panel: Panel, keys: list[list[str]], fitted: SeriesScales, seen: Rows
) -> PanelScales:
    """Return the scales of the series in ``panel``; new ones by their own first rows.

    ``seen`` is how many of these, for each series: none that is to be forecast.
    """
    known = np.array(fitted.mean).T, np.array(fitted.std).T
    places = find_keys(fitted.keys, keys)
    mean, std = (part[places] for part in known)
    new = np.flatnonzero(places < 0)
    if len(new):
        begins = panel.starts[:-1]
        ends = np.where(places < 0, begins + seen, begins)
        own, spread = _moments(panel.ranges(begins, ends))
        mean[new], std[new] = own, _usable(own, spread, *known)
    return PanelScales(mean, std, places)


def _moments(panel: Panel) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of each series, ``[series, channels]``."""
    counts = panel.lengths[:, None]
    values = panel.values
    mean = np.add.reduceat(values, panel.starts[:-1]) / counts
    off = values - np.repeat(mean, panel.lengths, axis=0)
    return mean, np.sqrt(np.add.reduceat(np.square(off, out=off), panel.starts[:-1]) / counts)


def _usable(mean: Numbers, std: Numbers, others: Numbers, spreads: Numbers) -> Numbers:
    """The spread of each series; one without any gets that of the ``others``, for its size.

    Series may differ in size by orders of magnitude: a spread as large as that of the others would
    put one of 5 pieces a day far below zero. A series of zeros has no size, and gets their spread.
    """
    shares = spreads / np.maximum(np.hypot(others, spreads), np.finfo(np.float64).tiny)
    for_size = np.abs(mean) * _usual(shares, others, spreads)
    usual = np.where(mean == 0, _usual(spreads, others, spreads), for_size)
    return np.where(_changes_at_all(mean, std), std, usual)


def _usual(values: Numbers, mean: Numbers, std: Numbers) -> Numbers:
    """The median of ``values`` over the series that change; 1 where none does."""
    columns = zip(values.T, _changes_at_all(mean, std).T, strict=True)
    return np.array([np.median(column[some]) if some.any() else 1.0 for column, some in columns])


def _changes_at_all(mean: Numbers, std: Numbers) -> NDArray[np.bool_]:
    return np.asarray(std > 1e-12 * np.abs(mean))


def _changes(panel: Panel, targets: int, season: int, power: int = 1) -> Numbers:
    """The mean change over one season between values that were not filled in."""
    values = panel.values[:, :targets]
    known = np.ones(values.shape, np.bool_)
    if panel.filled is not None:
        known = ~panel.filled[:, :targets]
    change = np.zeros_like(values)
    pairs = np.zeros(values.shape, np.bool_)
    if len(values) > season:
        change[season:] = np.abs(values[season:] - values[:-season]) ** power
        pairs[season:] = known[season:] & known[:-season]
    pairs &= (panel.steps >= season)[:, None]
    sums = np.add.reduceat(change * pairs, panel.starts[:-1])
    counts = np.add.reduceat(pairs, panel.starts[:-1], dtype=np.int64)
    return np.asarray(sums / np.maximum(counts, 1), np.float64)
