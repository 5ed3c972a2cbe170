"""Level and spread of each of several series, by their training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.data.series.panel import Panel, Rows, find_keys

Numbers = NDArray[np.float64]


class SeriesScales(BaseModel):
    """What is fitted on each series, as columns."""

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
    """Fit on the training rows; a series without any spread gets the usual one."""
    mean, std = _moments(panel)
    std = _usable(mean, std, _usual(mean, std))
    return SeriesScales(
        keys=keys,
        mean=mean.T.tolist(),
        std=std.T.tolist(),
        naive_error=_changes(panel, targets, season).T.tolist(),
        naive_squared=_changes(panel, targets, season, power=2).T.tolist(),
    )


def scales_for(
    panel: Panel, keys: list[list[str]], fitted: SeriesScales, longest: int
) -> PanelScales:
    """Return the scales of the series in ``panel``; new ones by their own first rows.

    ``longest`` is how many of these.
    """
    known = np.array(fitted.mean).T, np.array(fitted.std).T
    places = find_keys(fitted.keys, keys)
    mean, std = (part[places] for part in known)
    new = np.flatnonzero(places < 0)
    if len(new):
        begins = panel.starts[:-1]
        ends = np.where(places < 0, np.minimum(begins + longest, panel.starts[1:]), begins)
        own, spread = _moments(panel.ranges(begins, ends))
        mean[new], std[new] = own, _usable(own, spread, np.median(known[1], axis=0))
    return PanelScales(mean, std, places)


def _moments(panel: Panel) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of each series, ``[series, channels]``."""
    counts = panel.lengths[:, None]
    values = panel.values
    mean = np.add.reduceat(values, panel.starts[:-1]) / counts
    off = values - np.repeat(mean, panel.lengths, axis=0)
    return mean, np.sqrt(np.add.reduceat(np.square(off, out=off), panel.starts[:-1]) / counts)


def _usual(mean: Numbers, std: Numbers) -> Numbers:
    """The median spread of the series that change; 1 where none does."""
    changing = std > 1e-12 * np.abs(mean)
    columns = [column[some] for column, some in zip(std.T, changing.T, strict=True)]
    return np.array([np.median(column) if len(column) else 1.0 for column in columns])


def _usable(mean: Numbers, std: Numbers, usual: Numbers) -> Numbers:
    return np.where(std > 1e-12 * np.abs(mean), std, usual)


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
    steps = np.arange(len(values)) - np.repeat(panel.starts[:-1], panel.lengths)
    pairs &= (steps >= season)[:, None]
    sums = np.add.reduceat(change * pairs, panel.starts[:-1])
    counts = np.add.reduceat(pairs, panel.starts[:-1], dtype=np.int64)
    return np.asarray(sums / np.maximum(counts, 1), np.float64)
