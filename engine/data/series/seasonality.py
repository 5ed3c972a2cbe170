"""The season length of a series: number of steps until it repeats itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LONGEST = 10_000
_MULTIPLES = 8
_NEAR = 0.05
"""Relative distance of peaks that are about an expected season."""
_ROUNDED = 16 * float(np.finfo(np.float64).eps)
"""Changes that differ by less, relative to the values, differ by rounding: a straight line's."""
_CLEAR = 0.2
_CLEAR_FOR_CANDIDATES = 0.1
"""Autocorrelation below this is no season; where one is expected, noise may hide more of it."""
_BY_CHANCE = 5.0
_BY_CHANCE_FOR_CANDIDATES = 2.0
"""The same for few values, over the root of their number. The changes of noise have
autocorrelations of 0 ± 1.2 over that root (Bartlett 1946), and many lags are looked at."""


def find_season(values: NDArray[np.float64], candidates: Sequence[int] = ()) -> int:
    """The length of the strongest season in steps; 1 where there is none.

    Uses the autocorrelation of the changes from step to step, which no trend disturbs.
    ``candidates`` (a day, a week … in steps) come first; a longer one must be clearly stronger.
    """
    changes = np.diff(values)
    longest = min(len(changes) // 3, _LONGEST)
    if longest < 2 or not changes.std() > _ROUNDED * np.abs(values).max():
        return 1
    correlation = _autocorrelation(changes, longest)
    peaks = _peaks(correlation)
    expected = [lag for lag in candidates if _is_expected(correlation, lag, peaks)]
    root = len(changes) ** 0.5
    least = max(_CLEAR_FOR_CANDIDATES, _BY_CHANCE_FOR_CANDIDATES / root)
    if season := _first_strong(correlation, expected, least):
        return season
    season = _first_strong(correlation, peaks, max(_CLEAR, _BY_CHANCE / root))
    return _sharpened(correlation, season) if season else 1


def _first_strong(
    correlation: NDArray[np.float64], lags: Sequence[int], least: float
) -> int | None:
    """The shortest of ``lags`` that is about as strong as the strongest."""
    strong = [lag for lag in lags if correlation[lag] > least]
    if not strong:
        return None
    highest = max(correlation[lag] for lag in strong)
    return next(lag for lag in strong if correlation[lag] >= 0.9 * highest)


def _is_expected(correlation: NDArray[np.float64], lag: int, peaks: Sequence[int]) -> bool:
    """Whether noise alone keeps a lag from being a peak itself: no lag near it is clearly better.

    Multiples tell a day from a tide, of 24 and of 24.8 hours.
    """
    reach = max(1, round(_NEAR * lag))
    if lag + reach >= len(correlation) or not any(abs(peak - lag) <= reach for peak in peaks):
        return False
    best = max(_by_multiples(correlation, near) for near in range(lag - reach, lag + reach + 1))
    return _by_multiples(correlation, lag) >= 0.9 * best


def _by_multiples(correlation: NDArray[np.float64], lag: int) -> float:
    return float(correlation[lag::lag][:_MULTIPLES].mean())


def _sharpened(correlation: NDArray[np.float64], season: int) -> int:
    """The best length near ``season`` by its multiples too: noise moves the top of one peak."""
    near = range(max(2, round(0.8 * season)), min(round(1.2 * season), len(correlation) - 1) + 1)
    return max(near, key=lambda lag: _by_multiples(correlation, lag))


def _peaks(correlation: NDArray[np.float64]) -> list[int]:
    inner = correlation[1:-1]
    higher = (inner > correlation[:-2]) & (inner >= correlation[2:])
    return [int(lag) for lag in np.flatnonzero(higher) + 1 if lag >= 2]


def _autocorrelation(values: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """For lags 0 … ``longest``, by the Fourier transform."""
    centred = values - values.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    products = np.fft.irfft(spectrum * spectrum.conj(), size)[: longest + 1]
    # Unbiased: a long season is not weaker for having fewer pairs.
    pairs = len(centred) - np.arange(longest + 1)
    return np.asarray(products / pairs * len(centred) / products[0], np.float64)
