"""Draws of windows that depend on one another: those that overlap, of one series, of one time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

_DRAWS = 1000
_AT_ONCE = 2**20
"""Numbers that are drawn at once."""
_MOST = 2000
"""Of more series several are drawn together."""
_STUDENT = (12.706, 4.303, 3.182, 2.776)
"""Quantiles of Student's distribution that leave 2.5 % above, of 1, 2, 3 and 4 degrees."""
_NORMAL = 1.959964
_FEWEST = 3.0
"""Of fewer independent windows an interval is as wide as of these."""


@dataclass(frozen=True)
class WindowPlaces:
    """Series and time of each window of several series."""

    series: Whole
    times: Whole
    reach: int
    """The time from one window to the next that does not overlap it; 0 where none overlap."""

    def chosen(self, windows: NDArray[np.bool_]) -> WindowPlaces:
        """Return those of some windows."""
        return WindowPlaces(self.series[windows], self.times[windows], self.reach)


@dataclass(frozen=True)
class Draws:
    """Mean errors of two forecasts on windows that were drawn with replacement."""

    means: Numbers
    """``[2, draws]``"""
    independent: float
    """Number of windows, or groups of them, that do not depend on one another."""

    @property
    def widening(self) -> float:
        """The factor for an interval of the draws, as few groups vary too little.

        That of Student's distribution, and of the deviation of a sample.
        """
        count = max(self.independent, _FEWEST)
        freedom = count - 1
        more = round(freedom) <= len(_STUDENT)
        student = _STUDENT[round(freedom) - 1] if more else _NORMAL + _beyond_normal(freedom)
        return float(student / _NORMAL * (count / freedom) ** 0.5)


def draws_of(
    errors: Numbers, theirs: Numbers, block: int, places: WindowPlaces | None
) -> Iterator[Draws]:
    """Yield draws of the windows of one series, in blocks of ``block``; of several, two ways.

    Several series share good and bad times, and each is easy or hard at all times. So times are
    drawn in blocks with the windows of all series, and series with all their windows.
    """
    pairs = np.stack([errors, theirs, np.ones_like(errors)])
    if places is None:
        yield _in_blocks(pairs, block)
        return
    by_series = _summed(pairs, np.unique(places.series, return_inverse=True)[1] % _MOST)
    several = by_series.shape[1] > 1
    if several:
        yield _of_groups(by_series)
    times, number = np.unique(places.times, return_inverse=True)
    span = int(times[-1] - times[0])
    if span >= places.reach > 0 or not several:
        yield _in_blocks(_summed(pairs, number), round(len(times) * places.reach / (span + 1)))


def _beyond_normal(freedom: float) -> float:
    """The distance of Student's quantile to the normal one (Fisher 1925)."""
    return (_NORMAL**3 + _NORMAL) / (4 * freedom) + 2.823 / freedom**2


def _summed(pairs: Numbers, groups: Whole) -> Numbers:
    """Sums over the windows of each group, ``[3, groups]``."""
    return np.stack([np.bincount(groups, part) for part in pairs])


def _of_groups(sums: Numbers) -> Draws:
    count = sums.shape[1]
    return Draws(_means(sums, count), count)


def _in_blocks(sums: Numbers, block: int) -> Draws:
    """Draw blocks of groups in order (circular block bootstrap, Politis and Romano 1992)."""
    count = sums.shape[1]
    block = min(max(1, block), max(1, count // 2))
    around = np.concatenate([np.zeros((3, 1)), sums, sums[:, : block - 1]], 1).cumsum(1)
    return Draws(_means(around[:, block:] - around[:, :-block], -(-count // block)), count / block)


def _means(sums: Numbers, each: int) -> Numbers:
    """The means of draws of ``each`` groups."""
    generator, found = np.random.default_rng(0), []
    rows = max(1, _AT_ONCE // each)
    for begin in range(0, _DRAWS, rows):
        size = min(rows, _DRAWS - begin), each
        found.append(sums[:, generator.integers(sums.shape[1], size=size)].sum(2))
    errors, theirs, counts = np.concatenate(found, 1)
    means: Numbers = np.stack([errors, theirs]) / counts
    return means
