"""Public holidays of a country, as a feature that is known ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.data.series.frequency import DAY, Frequency, Times, clock_times
from engine.errors import DataError, UserError
from engine.files.sanitize import plain

Days = NDArray[np.datetime64]


def check_holidays(place: str, frequency: Frequency) -> None:
    """Raise :class:`DataError` where there is no such ``place``, or where times are no dates."""
    if not place:
        return
    if not frequency.dated:
        raise DataError(
            "task.holidays needs dates, but the times of the data are numbers that only count.",
            "Leave task.holidays empty.",
        )
    _holidays_of(place, 2024, 2024)


def holiday_feature(times: Times, frequency: Frequency, place: str) -> NDArray[np.float32]:
    """``[rows, 1]``: the holidays of a country such as ``DE``, or of a part of it, ``DE-BY``.

    With steps of a day or less, 1 on a holiday; with longer ones, the number of holidays in the
    step that begins with a row, in whole months where steps are months.
    """
    if not len(times):
        return np.zeros((0, 1), np.float32)
    days = clock_times(times, frequency.zone).astype("M8[us]").astype("M8[D]")
    begins, ends = _spans(days, frequency)
    years = (begins.min(), ends.max())
    first, last = (int(day.astype("M8[Y]").astype(np.int64)) + 1970 for day in years)
    found = _holidays_of(place, first, last)
    counts = np.searchsorted(found, ends) - np.searchsorted(found, begins)
    return counts.astype(np.float32)[:, None]


def _spans(days: Days, frequency: Frequency) -> tuple[Days, Days]:
    """The days on which the step of each row begins, and those behind its last one."""
    if frequency.unit == "month":
        months = days.astype("M8[M]")
        return months.astype("M8[D]"), (months + frequency.step).astype("M8[D]")
    length = max(1, frequency.step // DAY) if frequency.unit == "time" else frequency.step
    return days, days + length


def _holidays_of(place: str, first: int, last: int) -> Days:
    """The days in order, each once."""
    try:
        import holidays
    except ImportError as error:
        raise UserError(
            "task.holidays needs the package holidays.",
            "Install it with `pip install 'dltui[holidays]'`.",
        ) from error
    country, _, part = place.strip().upper().partition("-")
    try:
        found = holidays.country_holidays(
            country, subdiv=part or None, years=range(first, last + 1)
        )
    except NotImplementedError as error:
        raise DataError(
            f"task.holidays: {plain(place, 40)!r} is not a country, or a part of one, that the "
            "package holidays has.",
            "Give its code of two letters, such as DE, or with a part of it, DE-BY.",
        ) from error
    return np.array(sorted(found), "M8[D]")
