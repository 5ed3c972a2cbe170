"""Moments of years and their months or weeks, as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.datetime64]


def months_of(years: NDArray[np.float64], months: NDArray[np.float64]) -> Moments:
    """First days of months; NaT where there is no number or no such month."""
    known = np.isfinite(years) & (months >= 1) & (months <= 12)
    counts = np.where(known, (years - 1970) * 12 + months - 1, 0).astype(np.int64)
    days = counts.astype("M8[M]").astype("M8[us]")
    return np.where(known, days, np.datetime64("NaT", "us"))


def weeks_of(years: NDArray[np.float64], weeks: NDArray[np.float64]) -> Moments:
    """Mondays of ISO weeks; NaT where there is no number or the year has no such week."""
    known = np.isfinite(years) & (weeks >= 1) & (weeks <= 53)
    year = np.where(known, years - 1970, 0).astype(np.int64)
    fourth = year.astype("M8[Y]").astype("M8[D]") + 3  # 4 January is in the first week
    monday = fourth - (fourth.astype(np.int64) + 3) % 7
    monday = monday + 7 * (np.where(known, weeks, 1).astype(np.int64) - 1)
    # The Thursday of a week is in its year.
    known &= (monday + 3).astype("M8[Y]").astype(np.int64) == year
    return np.where(known, monday.astype("M8[us]"), np.datetime64("NaT", "us"))
