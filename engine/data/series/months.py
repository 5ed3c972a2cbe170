"""Days that a monthly series keeps to: the 28th, the last business day, the third Friday.

An anchor is a number and a kind of day, such as ``28 day``, ``-1 business`` or ``3 Fri``; negative
numbers count from the end of the month. Without an anchor (``""``) each month has the day of the
first one, and the last day of a month stays the last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.datetime64]
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHORTEST = 28
"""Days that every month has."""
_KEPT = 0.95
"""Business days of the real world have holidays, so not every month keeps to its anchor."""
_FEWEST = 4
"""In fewer months, a business day or a weekday may be chance."""


def find_anchor(days: Moments) -> str | None:
    """The anchor that ``days``, one a month at most, keep to; ``None`` if they keep to none."""
    months = days.astype("M8[M]")
    day = (days - months.astype("M8[D]")).astype(np.int64) + 1
    last = (days_in(months, "-1 day") - days).astype(np.int64)
    if not last.any():
        return ""
    if (days_in(months, f"{day.max()} day") == days).all():
        return f"{day.max()} day" if day.max() >= _SHORTEST else ""
    if len(days) < _FEWEST or np.unique(np.diff(days)).size == 1:
        return None
    return next((name for name in _moving(days[0], day[0]) if _keep(days, months, name)), None)


def _moving(first: np.datetime64, day: int) -> tuple[str, ...]:
    """Anchors whose day of the month moves, for days that begin with ``first``."""
    weekday = _WEEKDAYS[int((first.astype(np.int64) + 3) % 7)]  # 1970-01-01 was a Thursday
    return ("-1 business", "1 business", f"{(day + 6) // 7} {weekday}", f"-1 {weekday}")


def _keep(days: Moments, months: Moments, anchor: str) -> bool:
    return bool((days_in(months, anchor) == days).mean() >= _KEPT)


def days_in(months: Moments, anchor: str) -> Moments:
    """The day of each of ``months`` (``M8[M]``) that the anchor names, ``M8[D]``."""
    number, kind = anchor.split()
    first: Moments = months.astype("M8[D]")
    last: Moments = (months + 1).astype("M8[D]") - 1
    count = int(number)
    if kind == "day":
        named: Moments = np.minimum(first + (count - 1), last) if count > 0 else last
        return named
    week = "1111100" if kind == "business" else kind
    if count > 0:
        return np.busday_offset(first, count - 1, roll="forward", weekmask=week)
    return np.busday_offset(last, count + 1, roll="backward", weekmask=week)


def after(start: Moments, months: NDArray[np.int64], anchor: str) -> Moments:
    """Times ``months`` after ``start``, or after each of several, at its time of day."""
    month = start.astype("M8[M]")
    first = start.astype("M8[D]")
    shifted: Moments = (month + months).astype("M8[M]")
    later: Moments
    if anchor:
        later = days_in(shifted, anchor)
    else:
        is_last = first + 1 == (month + 1).astype("M8[D]")
        day = first - month.astype("M8[D]")
        last = days_in(shifted, "-1 day")
        later = np.where(is_last, last, np.minimum(shifted.astype("M8[D]") + day, last))
    moments: Moments = later.astype("M8[us]") + (start - first)
    return moments
