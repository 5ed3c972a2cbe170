"""Features of the times themselves, which are known ahead: calendar and public holidays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.data.series.frequency import Frequency, Times, calendar_features, calendar_names
from engine.data.series.holiday_dates import holiday_feature


def time_features(
    times: Times, frequency: Frequency, calendar: bool, holidays: str
) -> NDArray[np.float32]:
    """``[rows, features]``; ``holidays`` is the place whose holidays are a feature, or empty."""
    holiday = holiday_feature(times, frequency, holidays)
    if not calendar:
        return holiday
    return np.concatenate([calendar_features(times, frequency), holiday], 1)


def count_time_features(frequency: Frequency, calendar: bool, holidays: str) -> int:
    """Return how many features :func:`time_features` gives."""
    return 2 * len(calendar_names(frequency)) * calendar + bool(holidays)
