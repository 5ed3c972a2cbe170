"""Features of the times themselves, which are known ahead: calendar and public holidays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.data.series.frequency import Frequency, Times, calendar_features, calendar_names
from engine.data.series.holiday_dates import holiday_feature


def with_time_features(
    values: NDArray[np.float32], times: Times, frequency: Frequency, calendar: bool, holidays: str
) -> NDArray[np.float32]:
    """``[rows, columns + features]``; ``holidays`` is the place whose holidays are one, or empty.

    The values themselves where no feature is asked for: there may be many.
    """
    parts = [values]
    if calendar:
        parts.append(calendar_features(times, frequency))
    if holidays:
        parts.append(holiday_feature(times, frequency, holidays))
    return np.concatenate(parts, 1) if len(parts) > 1 else values


def count_time_features(frequency: Frequency, calendar: bool, holidays: str) -> int:
    """Return how many features :func:`with_time_features` adds."""
    return 2 * len(calendar_names(frequency)) * calendar + bool(holidays)
