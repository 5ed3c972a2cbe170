"""The season length of a series: number of steps until it repeats itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_LONGEST = 10_000
_MULTIPLES = 8
_CYCLES = 3
"""A season has shown itself at least this often."""
_NEAR = 0.05
"""Relative distance of lengths that a season of the calendar is compared with."""
_NEARBY = 17
"""At most this many of them are."""
_BEYOND_NOISE = 3.0
"""Standard errors that are no chance."""
_ROUNDED = 16 * float(np.finfo(np.float64).eps)
"""Changes that differ by less, relative to the values, differ by rounding: a straight line's."""
_CLEAR = 0.2
"""Autocorrelation below this is no season."""
_BY_CHANCE = 5.0
"""The same for few values, over the root of their number. The changes of noise have
autocorrelations of 0 ± 1.2 over that root (Bartlett 1946), and many lags are looked at."""
_DIFFERENT = 4.0
"""Two autocorrelations that differ by less over that root, 2.4 standard errors, may be the same."""


def find_season(values: Numbers, candidates: Sequence[int] = ()) -> int:
    """The length of the strongest season in steps; 1 where there is none.

    ``candidates`` are the seasons of the calendar (a day, a week … in steps). One that stands out
    of the noise is taken, or a length near it that fits better than by chance: 25 hours are found
    in place of a day only where noise does not explain the difference. Of several, a longer one
    must be clearly stronger, so that a day is not taken for a week.

    Without such, it is the lag with the highest autocorrelation of the changes from step to step,
    which no trend disturbs.
    """
    changes = np.diff(values)
    longest = min(len(changes) // _CYCLES, _LONGEST)
    if longest < 2 or not changes.std() > _ROUNDED * np.abs(values).max():
        return 1
    correlation = _autocorrelation(changes, longest)
    possible = (lag for lag in candidates if 1 < lag <= longest)
    expected = [found for lag in possible if (found := _found_near(values, lag, longest))]
    if expected:
        return _first_strong(correlation, expected, _DIFFERENT / len(changes) ** 0.5)
    least = max(_CLEAR, _BY_CHANCE / len(changes) ** 0.5)
    strong = [lag for lag in _peaks(correlation) if correlation[lag] > least]
    return _sharpened(correlation, _first_strong(correlation, strong)) if strong else 1


def _first_strong(correlation: Numbers, lags: Sequence[int], chance: float = 0.0) -> int:
    """The shortest of ``lags`` that is about as strong as the strongest, or less by ``chance``."""
    highest = max(correlation[lag] for lag in lags)
    return next(lag for lag in lags if correlation[lag] >= min(0.9 * highest, highest - chance))


def _found_near(values: Numbers, length: int, longest: int) -> int:
    """Return ``length`` where its mean cycle stands out of the noise, else 0.

    Where a length near it explains more than by chance, it is that one.
    """
    cycles = _cycles(values, length)
    # The sums behind a moving mean are rounded at each step.
    rounded = _ROUNDED * len(values) * np.abs(values).max()
    if not cycles.std() > rounded or not _beyond_noise(cycles):
        return 0
    reach = max(1, round(_NEAR * length))
    near = np.unique(np.linspace(length - reach, length + reach, _NEARBY).round().astype(int))
    left = {
        other: _unexplained(_cycles(values, other))
        for other in near.tolist()
        if 1 < other <= longest
    }
    best = min(left, key=lambda other: left[other])
    noise = _BEYOND_NOISE * (2 / len(values)) ** 0.5
    return length if left[length] * (1 - noise) <= left[best] else best


def _cycles(values: Numbers, length: int) -> Numbers:
    """Whole cycles without their level, a centred moving mean over one: ``[cycles, length]``."""
    sums = np.cumsum(np.concatenate([[0.0], values - values.mean()]))
    level = (sums[length:] - sums[:-length]) / length
    if length % 2 == 0:
        level = (level[1:] + level[:-1]) / 2
    first = length // 2
    rest = values[first : first + len(level)] - values.mean() - level
    count = len(rest) // length
    cycles: Numbers = rest[len(rest) - count * length :].reshape(count, length)
    return cycles


def _unexplained(cycles: Numbers) -> float:
    """The share of the variance beside the mean cycle, which few cycles follow too closely."""
    count = len(cycles)
    if count < 2:
        return 1.0
    noise = np.square(cycles - cycles.mean(0)).mean() * count / (count - 1)
    return float(noise / max(np.square(cycles).mean(), np.finfo(np.float64).tiny))


def _beyond_noise(cycles: Numbers) -> bool:
    """Whether the mean cycle varies more than that of noise.

    An analysis of variance between the places in the cycle, its F made normal as by Paulson (1942).
    Noise that remembers varies as fewer values of their own would, by Bartlett's formula.
    """
    count, length = cycles.shape
    if count < 2:
        return False
    mean = cycles.mean(0)
    noise = cycles - mean
    spread = np.square(noise).mean() * count / (count - 1)
    if spread <= _ROUNDED * np.square(mean).mean():
        return True  # no noise at all
    memory = _autocorrelation(noise.ravel(), max(1, length // 2))[1:]
    between = max(1.0, (length - 1) / (1 + 2 * float(np.square(memory).sum())))
    a, b = 2 / (9 * between), 2 / (9 * between * (count - 1))
    root = float(np.cbrt(count * np.square(mean).mean() / spread))
    return bool(((1 - b) * root - (1 - a)) / (b * root**2 + a) ** 0.5 > _BEYOND_NOISE)


def _by_multiples(correlation: Numbers, lag: int) -> float:
    return float(correlation[lag::lag][:_MULTIPLES].mean())


def _sharpened(correlation: Numbers, season: int) -> int:
    """The best length near ``season`` by its multiples too: noise moves the top of one peak."""
    near = range(max(2, round(0.8 * season)), min(round(1.2 * season), len(correlation) - 1) + 1)
    return max(near, key=lambda lag: _by_multiples(correlation, lag))


def _peaks(correlation: Numbers) -> list[int]:
    inner = correlation[1:-1]
    higher = (inner > correlation[:-2]) & (inner >= correlation[2:])
    return [int(lag) for lag in np.flatnonzero(higher) + 1 if lag >= 2]


def _autocorrelation(values: Numbers, longest: int) -> Numbers:
    """For lags 0 … ``longest``, by the Fourier transform."""
    centred = values - values.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    products = np.fft.irfft(spectrum * spectrum.conj(), size)[: longest + 1]
    # Unbiased: a long season is not weaker for having fewer pairs.
    pairs = len(centred) - np.arange(longest + 1)
    return np.asarray(products / pairs * len(centred) / products[0], np.float64)
