"""Dates as whole numbers: ``20230131``, ``202301``, ``202305`` as a week, seconds since 1970.

Days as Excel counts them are dates only in a column that is named after them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.dates.calendar_parts import weeks_of

Times = NDArray[np.int64]
Unit = Literal["ns", "us", "ms", "s"]
_EPOCH_UNITS: tuple[tuple[Unit, float], ...] = (
    ("ns", 1e17),
    ("us", 1e14),
    ("ms", 1e11),
    ("s", 1e8),
)
"""Whole numbers from this size on are taken as time since 1970 in that unit."""
_DIGITS = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_FIRST_YEAR, _LAST_YEAR = 1700, 2199
_MOSTLY = 0.95
"""Share of dates from which on the others are mistakes."""
WEEKS = "%G%V"
SINCE = " since 1970"
EXCEL = "days of Excel, since 1899-12-30"
EXCEL_EPOCH = 25_569
"""The number that Excel has for 1970-01-01."""
_EXCEL = (36_526, 54_788)
"""Numbers of days from 2000 to 2049: no others are taken for them."""
TICKS = {"us": 1, "ms": 1000, "s": 1_000_000}
"""Microseconds in a unit of time since 1970."""


def find_number_spelling(numbers: Times) -> str:
    """The spelling in which nearly all numbers are dates; empty where they only count."""
    if not len(numbers):
        return ""
    digits = len(str(int(np.median(numbers))))
    for spelling in (_DIGITS.get(digits, ""), WEEKS if digits == 6 else ""):
        if spelling and 1 - np.isnat(read_numbers(numbers, spelling)).mean() >= _MOSTLY:
            return spelling
    smallest = int(numbers.min())
    return next((unit + SINCE for unit, size in _EPOCH_UNITS if smallest >= size), "")


def are_days_of_excel(numbers: Times) -> bool:
    """Whether all numbers are days of this half of the century, as Excel counts them."""
    return bool(len(numbers) and numbers.min() >= _EXCEL[0] and numbers.max() <= _EXCEL[1])


def read_numbers(numbers: Times, spelling: str) -> NDArray[np.datetime64]:
    """Numbers as ``M8[us]``; NaT for those that are no dates."""
    if spelling.endswith(SINCE):
        unit = next(unit for unit, _ in _EPOCH_UNITS if spelling == unit + SINCE)
        return _moments(pd.DatetimeIndex(pd.to_datetime(pd.Series(numbers), unit=unit)))
    if spelling == EXCEL:
        return (numbers - EXCEL_EPOCH).astype("M8[D]").astype("M8[us]")
    if spelling == WEEKS:
        year, week = np.divmod(numbers, 100)
        known = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
        return weeks_of(np.where(known, year, np.nan), week.astype(np.float64))
    texts = pd.Series(numbers).astype(str)
    length = next(count for count, name in _DIGITS.items() if name == spelling)
    years = pd.to_numeric(texts.str[:4], errors="coerce")
    right = (texts.str.len() == length) & years.between(_FIRST_YEAR, _LAST_YEAR)
    times = pd.to_datetime(texts.where(right), format=spelling, errors="coerce")
    return _moments(pd.DatetimeIndex(times))


def is_number_spelling(spelling: str) -> bool:
    """Whether a spelling is one of whole numbers."""
    return spelling in (WEEKS, EXCEL) or spelling in _DIGITS.values() or spelling.endswith(SINCE)


def _moments(index: pd.DatetimeIndex) -> NDArray[np.datetime64]:
    moments: NDArray[np.datetime64] = index.to_numpy().astype("M8[us]")
    return moments
