"""Spellings of dates: the one that all texts of a column share, and texts read by it.

A spelling is a format of ``strptime``, or one of the names below. Where several spellings read all
texts, as day and month may change places, the caller has a measure of what is unlikely.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.dates.calendar_parts import Moments, months_of, weeks_of
from engine.data.dates.fiscal import fiscal_periods, fiscal_years, without_mark
from engine.data.dates.month_names import with_short_months

Unlikely = Callable[[Moments], float]
"""A measure of how unlikely the moments of a spelling are: the smallest is right."""

ISO = "ISO8601"
QUARTERS = "quarter"
WEEKS = "ISO week"
FISCAL_YEARS = "fiscal year"
FISCAL_PERIODS = "fiscal period"
FISCAL = {
    FISCAL_YEARS: "fiscal years, each as the year that it is named after",
    FISCAL_PERIODS: "fiscal periods, each as the month of its number",
}
"""Spellings of fiscal times, and how they are read."""
MONTH_FIRST = "mixed, month first"
DAY_FIRST = "mixed, day first"
_DAYS = (
    "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%Y", "%d-%m-%Y", "%m-%d-%y", "%d-%m-%y",
    "%d.%m.%Y", "%m.%d.%Y", "%d.%m.%y", "%m.%d.%y", "%m %d %Y", "%d %m %Y", "%Y/%m/%d", "%Y.%m.%d",
    "%Y %m %d", "%y/%m/%d", "%y-%m-%d", "%y.%m.%d", "%Y%m%d",
    "%d %b %Y", "%d %b %y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d/%b/%y", "%d.%b.%Y", "%d%b%Y",
    "%d. %b %Y", "%b %d, %Y", "%b %d %Y", "%Y-%b-%d", "%Y %b %d", "%Y-%m-%d", "%d. %m. %Y",
    "%Y. %m. %d.", "%Y. %m. %d", "%Y年%m月%d日", "%Y년 %m월 %d일",
)  # fmt: skip
_MONTHS = (
    "%b-%y", "%b-%Y", "%b %y", "%b %Y", "%b/%y", "%b/%Y", "%b.%y", "%b.%Y", "%b'%y", "%b%y", "%b%Y",
    "%y-%b", "%Y-%b", "%Y %b", "%Y/%b", "%m/%y", "%m/%Y", "%m-%y", "%m-%Y", "%m.%y", "%m.%Y",
    "%m %Y", "%y/%m", "%y-%m", "%Y/%m", "%Y.%m", "%Y %m", "%YM%m", "%Y-M%m", "%Y:%m", "%Y%m",
    "%Y年%m月", "%Y년 %m월",
)  # fmt: skip
_CLOCKS = (" %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M",
           "T%H:%M:%S", ", %H:%M", ", %H:%M:%S", ", %I:%M:%S %p", ":%H:%M:%S")  # fmt: skip
_QUARTER = (
    r"(?:(?P<year>\d{4}|\d{2})[-/. :]*(?P<unit>[QTHS])(?P<count>[1-4])"
    r"|(?:(?P<unit2>[QTHS])(?P<count2>[1-4])|(?P<count3>[1-4])(?P<unit3>[QTHS]))[-/. :']*"
    r"(?P<year2>\d{4}|\d{2})"
    r"|(?P<year3>\d{4})[-/. ](?P<count4>[1-4])|(?P<count5>[1-4])[-/. ](?P<year4>\d{4}))"
)
_MONTHS_OF_UNIT = {"Q": 3, "T": 3, "H": 6, "S": 6}
_WEEK = (
    r"(?:(?P<year>\d{4})[-/. ]*(?:W|KW|CW|WK|WEEK)[- ]?(?P<week>\d{1,2})(?:-?(?P<day>[1-7]))?"
    r"|(?:W|KW|CW|WK|WEEK)[- ]?(?P<week2>\d{1,2})[-/., ]*(?P<year2>\d{4})"
    r"|(?P<year3>\d{4})[-/. ](?P<week3>\d{1,2}))"
)
_ZONES = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2,
    "EEST": 3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
"""Hours from UTC of the names of zones that have one meaning."""
_OFFSET = re.compile(
    rf"(?P<written>.*\d:\d\d.*?) ?(?P<offset>Z|[+-]\d\d(?::?\d\d)?|{'|'.join(_ZONES)})"
)
_MIDNIGHT = re.compile(r"(?<=[ T])24:00(?=(?::00(?:\.0+)?)?(?: ?(?:Z|[A-Z]+|[+-][\d:]+))?$)")
"""The end of a day as an hour of it."""
_NO_DATE = r"\s*\d{1,2}:\d{2}(:\d{2})?\s*|\D*"
"""A time of day, or the name of a month or a weekday, alone."""
_YEAR = r"(?<!\d)\d{4}"
_YEAR_FIRST = r"\d{4}[-/.]"
_DAY_THEN_MONTH = r"(?:1[3-9]|[23]\d)[-/. ]\d{1,2}[-/. ]"
_MONTH_THEN_DAY = r"\d{1,2}[-/. ](?:1[3-9]|[23]\d)[-/. ]"
_YEARS = (1700, 2199)
"""Dates of tables are in these years."""
_FIRST = 5
"""Texts of which one shows the form of all."""
_LOOKED_AT = 200
CENTURY = 69
"""Years of two digits from this one on are of the last century, as ``strptime`` has it."""


@dataclass(frozen=True)
class Spelled:
    """Texts read as dates."""

    moments: Moments
    """Times without their offset from UTC; NaT for texts that are not dates."""
    offsets: NDArray[np.timedelta64] | None = None
    """``timedelta64`` to UTC, where all dates tell it."""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """The texts that are no dates."""
        return np.isnat(self.moments)


def spelled(texts: pd.Series, spelling: str) -> Spelled:
    """Read texts by a spelling, which may have words as they are written or full month names."""
    read = _spelled(_written(texts), spelling.replace("%B", "%b"))
    return _spelled(texts, spelling) if read.wrong.all() else read


def _spelled(values: pd.Series, spelling: str) -> Spelled:
    """Read what :func:`_written` returned; 24:00 is the beginning of the next day."""
    last = values.str.contains("24:00", regex=False).to_numpy(bool, na_value=False)
    if not last.any():
        return _of_clocks(values, spelling)
    last = last & values.str.contains(_MIDNIGHT).to_numpy(bool, na_value=False)
    read = _of_clocks(values.str.replace(_MIDNIGHT, "00:00", regex=True), spelling)
    return replace(read, moments=read.moments + last.astype("m8[D]"))


def _of_clocks(values: pd.Series, spelling: str) -> Spelled:
    """Read texts whose hours are from 0 to 23."""
    parts = values.str.extract(f"^{_OFFSET.pattern}$") if _tells_offset(values) else None
    if parts is None:
        return Spelled(_read(values, spelling))
    moments = _read(parts["written"].fillna(values), spelling)
    if (parts["offset"].isna().to_numpy() & ~np.isnat(moments)).any():
        return Spelled(moments)
    known = parts["offset"].dropna().unique()
    offsets = parts["offset"].map(dict(zip(known, map(_minutes, known), strict=True)))
    return Spelled(moments, offsets.fillna(0).to_numpy().astype("m8[m]"))


def _tells_offset(values: pd.Series) -> bool:
    """Whether one of the first texts tells its offset from UTC."""
    return bool(values.iloc[:_FIRST].str.fullmatch(_OFFSET).any())


def _written(texts: pd.Series) -> pd.Series:
    """Texts without blanks around them, the names of months as English abbreviations."""
    return with_short_months(texts.astype(str).str.strip())


def _minutes(offset: str) -> int:
    """Minutes of an offset such as ``Z``, ``+01``, ``-0530`` or ``CET``."""
    if offset in _ZONES:
        return 60 * _ZONES[offset]
    digits = offset.strip("Z+-").replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if offset[0] == "-" else minutes


def find_spelling(texts: pd.Series, unlikely: Unlikely, like: str = "") -> str:
    """The spelling that reads all texts, or else the most of them.

    Of several, the one that is the least unlikely. Where nothing else decides, the order of day and
    month is that of ``like``, or month before day.
    """
    values = _written(texts)
    some = values.drop_duplicates().iloc[:_LOOKED_AT]
    full = [name for name in _candidates(some.iloc[0]) if not _spelled(some, name).wrong.any()]
    full = [name for name in full if not _spelled(values, name).wrong.any()]
    if FISCAL_YEARS in full and len(some) > 1:
        return FISCAL_YEARS  # months are not all followed by the number of the next year
    if not full:
        return min((MONTH_FIRST, DAY_FIRST), key=lambda name: _mixed_faults(values, name))
    if len(full) == 1:
        return full[0]
    return min(full, key=lambda name: (
        unlikely(_spelled(values, name).moments),
        bool(like) and day_comes_first(name) != day_comes_first(like),
    ))  # fmt: skip


def find_table_spelling(texts: Sequence[str], share: float, day_first: bool = False) -> str:
    """The spelling by which at least a ``share`` of different texts are dates; empty for none.

    A spelling that has all dates in one month is the wrong one, if the other order of day and month
    has not; where nothing else decides, ``day_first`` does.
    """
    some = _written(pd.Series(texts[:_LOOKED_AT], dtype=object))
    first = some.iloc[:_FIRST]
    names = dict.fromkeys(
        name for text in first for name in _candidates(text) if _dates(name, text)
    )
    likely = [name for name in names if _lost(_spelled(some, name).moments) <= 1 - share]
    if not likely:
        return ""
    values = some if len(texts) == len(some) else _written(pd.Series(texts, dtype=object))
    read = {name: _spelled(values, name).moments for name in likely}
    best = min(likely, key=lambda name: (
        _lost(read[name]), in_one_month(read[name]), name.startswith("%y"),
        "." not in name and day_first != day_comes_first(name),
    ))  # fmt: skip
    return best if _lost(read[best]) <= 1 - share else ""


def _dates(spelling: str, text: str) -> bool:
    """Whether a text of a spelling is a date wherever it stands: no range, fraction or code."""
    if spelling == QUARTERS:
        return "q" in text.lower() and re.search(_YEAR, text) is not None
    if spelling in (FISCAL_YEARS, FISCAL_PERIODS):
        return text.lower().startswith(("fy", "fiscal"))
    if spelling == WEEKS:
        return "w" in text.lower()
    return spelling not in _MONTHS or "%Y" in spelling or spelling.startswith("%b")


def _lost(moments: Moments) -> float:
    """Share of texts that are no dates, or of other times."""
    years = moments.astype("M8[Y]").astype(np.int64) + 1970
    right = ~np.isnat(moments) & (years >= _YEARS[0]) & (years <= _YEARS[1])
    return float(1 - right.mean())


def in_one_month(moments: Moments) -> float:
    """1 where dates of several years are all in one month: another order of them is likelier."""
    months = moments[~np.isnat(moments)].astype("M8[M]").astype(np.int64)
    same = len(np.unique(months)) > 1 and len(np.unique(months % 12)) == 1
    return float(same)


def reads(texts: pd.Series) -> float:
    """Share of the first texts that one spelling reads as dates."""
    some = texts.iloc[:_LOOKED_AT].dropna()
    if not len(some) or some.str.fullmatch(_NO_DATE).all():
        return 0.0
    return float(1 - spelled(some, find_spelling(some, _never)).wrong.mean())


def _never(moments: Moments) -> float:
    del moments
    return 0.0


@dataclass(frozen=True, slots=True)
class DayOrder:
    """The order of day and month, where both orders read all texts."""

    day_first: bool
    open: bool
    """Whether the other order is as likely."""

    @property
    def text(self) -> str:
        """The order in words."""
        order = "day before month" if self.day_first else "month before day"
        return order + "; the other order fits as well (write 2024-01-31 to be sure)" * self.open


def order_of_day(texts: pd.Series, spelling: str, unlikely: Unlikely) -> DayOrder | None:
    """The order of day and month, if the other order reads all texts as other dates."""
    swapped = {MONTH_FIRST: DAY_FIRST, DAY_FIRST: MONTH_FIRST}.get(spelling, _swapped(spelling))
    if swapped == spelling:
        return None
    values = _written(texts)
    chosen, other = _spelled(values, spelling), _spelled(values, swapped)
    if (other.wrong & ~chosen.wrong).any() or (other.moments == chosen.moments)[
        ~chosen.wrong
    ].all():
        return None
    fits = unlikely(other.moments) == unlikely(chosen.moments)
    return DayOrder(day_comes_first(spelling), fits)


def day_comes_first(spelling: str) -> bool:
    """Whether a spelling has the day before the month."""
    if spelling in (MONTH_FIRST, DAY_FIRST):
        return spelling == DAY_FIRST
    return "%d" in spelling and spelling.index("%d") < spelling.find("%m")


def _swapped(spelling: str) -> str:
    both = "%d" in spelling and "%m" in spelling
    return spelling.translate(str.maketrans("dm", "md")) if both else spelling


def _candidates(first: str) -> Iterator[str]:
    """Spellings that read the first text."""
    yield ISO
    written = _OFFSET.fullmatch(first)
    first = _MIDNIGHT.sub("00:00", written["written"] if written else first)
    clocks = _CLOCKS if ":" in first else ("",)
    days = _DAYS if ":" in first else (*_DAYS, *_MONTHS)
    yield from (day + clock for clock in clocks for day in days if _fits(first, day + clock))
    # After months: 2010-05 is a week only where others are above 12.
    yield from (QUARTERS, FISCAL_YEARS, FISCAL_PERIODS, WEEKS)


def _fits(text: str, spelling: str) -> bool:
    try:
        datetime.strptime(text, spelling)
    except ValueError:
        return False
    return True


def _mixed_faults(texts: pd.Series, spelling: str) -> tuple[int, int]:
    """Texts that are no dates, and steps back in time."""
    moments = _spelled(texts, spelling).moments
    known = moments[~np.isnat(moments)]
    back = int((np.diff(known) < np.timedelta64(0)).sum())
    return int(np.isnat(moments).sum()), min(back, len(known) - back)


def _read(values: pd.Series, spelling: str) -> Moments:
    if spelling == QUARTERS:
        return _quarters(values)
    if spelling == WEEKS:
        return _weeks(values)
    if spelling == FISCAL_YEARS:
        return months_of(fiscal_years(values, CENTURY), np.ones(len(values)))
    if spelling == FISCAL_PERIODS:
        return months_of(*fiscal_periods(values, CENTURY))
    if spelling in (MONTH_FIRST, DAY_FIRST):
        return _mixed(values, spelling == DAY_FIRST)
    times = pd.to_datetime(values, errors="coerce", utc=True, format=spelling)
    return _plain(times)


def _mixed(values: pd.Series, day_first: bool) -> Moments:
    """Dates as pandas guesses them, each by itself where they differ.

    pandas changes the order of day and month for single dates, and with the day first for those
    that begin with a year; such dates are read with the month after the year, or are none.
    """
    moments = _guessed(values, day_first)
    year_first = values.str.match(_YEAR_FIRST).to_numpy(bool, na_value=False)
    if day_first and year_first.any():
        moments[year_first] = _guessed(values[year_first], day_first=False)
    other = values.str.match(_MONTH_THEN_DAY if day_first else _DAY_THEN_MONTH)
    # Without a year, pandas takes the present one, or a day for the year.
    wrong = other.to_numpy(bool, na_value=False) | ~values.str.contains(_YEAR).to_numpy(bool)
    return np.where(wrong, np.datetime64("NaT"), moments)


def _guessed(values: pd.Series, day_first: bool) -> Moments:
    with warnings.catch_warnings():
        # That a format cannot be guessed shows in what comes out.
        warnings.simplefilter("ignore", UserWarning)
        times = pd.to_datetime(values, errors="coerce", dayfirst=day_first, utc=True)
        if times.isna().any():
            # Not all in the format of the first date.
            mixed = pd.to_datetime(
                values, errors="coerce", dayfirst=day_first, utc=True, format="mixed"
            )
            times = mixed if mixed.isna().sum() < times.isna().sum() else times
    return _plain(times)


def _plain(times: pd.Series) -> Moments:
    moments: Moments = times.dt.tz_localize(None).to_numpy().astype("M8[us]")
    return moments


def _quarters(values: pd.Series) -> Moments:
    """First days of quarters (Q, T, or 1 to 4 alone) and half-years (H, S)."""
    parts = without_mark(values).str.extract(f"^(?i:{_QUARTER})$")
    years = _years(_first_of(parts, "year", 4))
    units = _first_of(parts, "unit", 3).fillna("Q")
    counts = _first_of(parts, "count", 5).astype(float)
    months = units.str.upper().map(_MONTHS_OF_UNIT) * (counts - 1) + 1
    return months_of(years, np.asarray(months, np.float64))


def _first_of(parts: pd.DataFrame, name: str, most: int) -> pd.Series:
    """The part of a name, or of that name with a number up to ``most``, that is there."""
    found = parts[name]
    for number in range(2, most + 1):
        found = found.fillna(parts[f"{name}{number}"])
    return found


def _weeks(values: pd.Series) -> Moments:
    """Mondays of ISO weeks, or the day that is given."""
    parts = values.str.extract(f"^(?i:{_WEEK})$")
    years = _years(_first_of(parts, "year", 3))
    weeks = _first_of(parts, "week", 3).to_numpy(np.float64)
    later = parts["day"].fillna("1").astype(int).to_numpy() - 1
    days: Moments = weeks_of(years, weeks) + later.astype("m8[D]")
    return days


def _years(texts: pd.Series) -> NDArray[np.float64]:
    numbers = texts.astype(float).to_numpy()
    short = np.where(numbers < CENTURY, 2000, 1900)
    return np.where(texts.str.len() == 2, numbers + short, numbers)
