"""Columns of dates in their many spellings and types, as int64 times.

The unit is that of :mod:`engine.data.series.frequency`. How a column is read is decided once, on
the training rows: see :class:`TimeColumn`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.dates import spellings
from engine.data.dates.compact import (
    EXCEL,
    SINCE,
    are_days_of_excel,
    find_number_spelling,
    is_number_spelling,
    read_numbers,
)
from engine.data.dates.writing import find_writing
from engine.data.series.channels import is_number, is_text
from engine.data.series.frequency import DAY, HOUR, Frequency, Times, clock_times, find_frequency
from engine.data.series.resolution import check_resolution
from engine.data.series.summer_time import UTC, zone_note, zone_of
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

TIME_NAMES = (
    "date", "time", "datetime", "timestamp", "ds", "day", "month", "year", "period", "step",
    "datum", "fecha", "jahr", "année", "annee", "año", "anno", "jaar", "rok", "fiscal_year",
    "fiscalyear", "fiscal year", "fyear", "fy",
)  # fmt: skip
"""Names of columns of times."""
_YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d")
"""Beginnings of spellings that leave no doubt."""
_LEAST_ROWS = 3
"""In fewer rows, whole numbers that can be read as dates mean nothing."""
_MOMENT_DIGITS = {10, 13, 16, 19}
"""Digits of seconds, milliseconds, microseconds and nanoseconds since 1970, from 2001 on."""
_MOSTLY = 0.8
"""Share of steps without a gap, from which on numbers since 1970 are regular."""
_MIXED = {
    spellings.MONTH_FIRST: "with the month before the day",
    spellings.DAY_FIRST: "with the day before the month",
}
"""Spellings of dates that are written in several ways, and the order that all of them have."""
_CALENDAR = re.compile("date|month|week|period|time|monat|yyyymm|^(ds|ym|yw|kw)$")
"""Names of columns whose numbers of six digits are months or weeks."""
MOMENT = re.compile(
    r"day|(.*[^a-z])?(date|datum|fecha|time|timestamp|datetime|epoch|unix|ts|ds)"
    r"([^a-z]+(ms|s|us|ns|utc|gmt|local|id|key|unix|epoch))?"
)
"""Names of columns whose numbers are days or moments."""
_DATE = re.compile(r"(.*[^a-z])?(date|datum|fecha)")
"""Names of columns whose numbers are days as Excel counts them."""


@dataclass(frozen=True)
class TimeColumn:
    """Times in the order of the rows, and how they were read."""

    times: Times
    dated: bool
    """Whether they are dates; else numbers that only count."""
    spelling: str = ""
    """The spelling of texts or whole numbers; empty for a type of dates and for counts."""
    writing: str = ""
    """The form in which the same texts or numbers are written again; empty where none is known."""
    zone: str = ""
    """The zone that times in UTC are shown in; empty for times as their clocks showed them."""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class _Moments:
    """Times of one kind or both: on the clock, and in UTC with the clock's zone."""

    clock: Times
    utc: Times | None = None
    zone: str = ""
    offsets: bool = False
    """Whether they were written with several offsets to UTC."""


def find_time_column(table: pa.Table) -> str:
    """Return the time column: one of dates, else one with such a name; or empty.

    One that changes goes before one that is the same in all rows, as of an export.
    """
    columns = dict(zip(map(str, table.column_names), table.columns, strict=True))
    dates = [name for name, column in columns.items() if _is_date(column.type)]
    dates += [name for name, column in columns.items() if _looks_like_dates(column)]
    named = [
        name
        for name, column in columns.items()
        if name.strip().lower() in TIME_NAMES and _counts(column)
    ]
    written = [
        name
        for name, column in columns.items()
        if is_number(column.type) and _has_date_numbers(name, column)
    ]
    found = [*dates, *written, *named]
    changing = (name for name in found if pc.count_distinct(columns[name]).as_py() > 1)
    return next(changing, next(iter(found), ""))


def read_times(
    table: pa.Table, name: str, frequency: Frequency | None = None, spelling: str = ""
) -> TimeColumn:
    """Read the times of a column, as the training rows were read if these are given.

    Raises :class:`DataError` with the first row that has no time.
    """
    column = table[name].combine_chunks()
    if column.null_count:
        raise _unreadable(name, column.is_null().to_numpy(zero_copy_only=False).argmax(), "nothing")
    check_resolution(name, column)
    if _is_date(column.type):
        return _settled(_of_dates(column), frequency)
    numbers = _whole_numbers(column)
    if numbers is not None and not is_text(column.type):
        return _from_numbers(name, numbers, frequency, spelling)
    if is_text(column.type):
        # Years alone are not compact: pandas reads them.
        compact = numbers is not None and bool(
            is_number_spelling(spelling or find_number_spelling(numbers))
        )
        if numbers is not None and compact:
            return _from_numbers(name, numbers, frequency, spelling)
        return _from_texts(name, pd.Series(column.to_pandas(), dtype=object), frequency, spelling)
    raise DataError(
        f"The column {plain(name, 60)!r} cannot hold times: its type is {column.type}.",
        "Set task.time to a column of dates or whole numbers.",
    )


def is_date_column(name: str, column: pa.ChunkedArray) -> bool:
    """Whether a column holds dates, by its type, its texts, or as numbers such as 20230131."""
    if is_number(column.type):
        return _has_date_numbers(name, column)
    return _is_date(column.type) or _looks_like_dates(column)


def _is_date(type: pa.DataType) -> bool:
    return bool(pt.is_timestamp(type) or pt.is_date(type))


def _looks_like_dates(column: pa.ChunkedArray) -> bool:
    return is_text(column.type) and spellings.reads(column.slice(0, 200).to_pandas()) > 0.5


def _has_date_numbers(name: str, column: pa.ChunkedArray) -> bool:
    """Whether a column holds days such as 20230131, or months or weeks by its name.

    They stand in order, unless the column is named after times.
    """
    some = column.slice(0, 200)
    if some.null_count or len(some) < _LEAST_ROWS:
        return False
    numbers = _whole_numbers(some.combine_chunks())
    if numbers is None:
        return False
    steps = np.diff(numbers)
    name = name.strip().lower()
    named, month = MOMENT.fullmatch(name) is not None, _CALENDAR.search(name) is not None
    ordered = bool((steps >= 0).all() or (steps <= 0).all())
    if not steps.any() or not (ordered or named or month):
        return False
    spelling = find_number_spelling(numbers)
    if spelling.endswith(SINCE):
        return _counts_moments(numbers, spelling, named)
    if _DATE.fullmatch(name) and are_days_of_excel(numbers):
        return True
    if len(spelling) <= len("%Y%m"):
        return spelling.startswith("%") and month
    return spelling.startswith("%")


def _counts_moments(numbers: Times, spelling: str, named: bool) -> bool:
    """Whether numbers since 1970 have the digits of this century, and a regular step.

    In a column that is ``named`` after times the step is whatever it is.
    """
    times = np.unique(read_numbers(numbers, spelling)).astype(np.int64)
    lengths = {len(str(number)) for number in (numbers.min(), numbers.max())}
    if named or not lengths <= _MOMENT_DIGITS:
        return lengths <= _MOMENT_DIGITS
    frequency = find_frequency(times, dated=True)
    if not frequency.regular:
        return False
    return bool((np.diff(frequency.positions(times)) == 1).mean() >= _MOSTLY)


def _counts(column: pa.ChunkedArray) -> bool:
    """Whether a column has whole numbers, maybe of a floating type, and maybe missing ones."""
    if pt.is_floating(column.type):
        return _whole_numbers(column.drop_null().combine_chunks()) is not None
    return bool(pt.is_integer(column.type))


def _whole_numbers(column: pa.Array) -> Times | None:
    """The values as int64, if all are whole numbers or texts of digits alone."""
    if pt.is_floating(column.type):
        column = column.cast(pa.float32()) if pt.is_float16(column.type) else column
        whole = pc.all(pc.and_(pc.is_finite(column), pc.equal(pc.floor(column), column))).as_py()
    elif is_text(column.type):
        column = pc.utf8_trim_whitespace(column)
        whole = pc.all(pc.match_substring_regex(column, r"^\d{1,18}$")).as_py()
    else:
        whole = pt.is_integer(column.type)
    if not whole:
        return None
    numbers: Times = column.cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _from_numbers(
    name: str, numbers: Times, frequency: Frequency | None, spelling: str
) -> TimeColumn:
    if frequency is not None and not frequency.dated:
        return TimeColumn(numbers, False)
    spelling = spelling if is_number_spelling(spelling) else find_number_spelling(numbers)
    if not spelling and _DATE.fullmatch(name.strip().lower()) and are_days_of_excel(numbers):
        spelling = EXCEL
    if not spelling:
        return TimeColumn(numbers, False)
    moments = read_numbers(numbers, spelling)
    _check(name, moments, lambda row: str(numbers[row]))
    note = _written_note(name, spelling)
    return TimeColumn(moments.astype(np.int64), True, spelling, spelling, notes=(note,))


def _from_texts(
    name: str, texts: pd.Series, frequency: Frequency | None, spelling: str
) -> TimeColumn:
    """Texts in the spelling of the training rows, or in the one that fits best."""
    known = spelling and not spellings.spelled(texts, spelling).wrong.all()
    unlikely = partial(irregular, frequency=frequency)
    chosen = spelling if known else spellings.find_spelling(texts, unlikely, spelling)
    read = spellings.spelled(texts, chosen)
    _check(name, read.moments, lambda row: repr(plain(texts.iloc[row], 60)), _kind(texts, chosen))
    order = None if known else spellings.order_of_day(texts, chosen, unlikely)
    written = chosen.startswith("%") and not chosen.startswith(_YEAR_FIRST) and not known
    notes = (_order_note(name, order),) if order else ()
    if written and not order:
        notes = (_written_note(name, chosen),)
    if chosen in (*_MIXED, *spellings.FISCAL) and not known:
        notes = (_several_note(name, chosen), *notes)
    settled = _settled(_of_texts(read), frequency)
    writing = "" if settled.zone else find_writing(texts.to_list(), read.moments, chosen)
    return TimeColumn(settled.times, True, chosen, writing, settled.zone, (*settled.notes, *notes))


def irregular(moments: NDArray[np.datetime64], frequency: Frequency | None = None) -> float:
    """Steps without a row, in the order of time; infinite where there is no regular step."""
    times: Times = np.unique(moments).astype(np.int64)
    step = frequency or find_frequency(times, dated=True)
    if len(times) < 2 or not step.regular:
        return np.inf
    jumps = np.diff(step.positions(times))
    return float(np.abs(jumps - 1).sum())


def _written_note(name: str, spelling: str) -> Note:
    text = f"{plain(name, 60)} is read as dates, written {spelling}"
    if not spelling.startswith("%"):
        text = f"times are read as {spelling}"
    return Note(text, column=plain(name, 60), read_as="dates", kind="converted")


def _several_note(name: str, spelling: str) -> Note:
    """Return a note on dates that one format of ``strftime`` does not describe."""
    text = f"{plain(name, 60)} is read as {spellings.FISCAL.get(spelling)}"
    if spelling in _MIXED:
        text = f"the dates of {plain(name, 60)} are written in several ways"
    return Note(text, column=plain(name, 60), read_as="dates", kind="converted")


def _order_note(name: str, order: spellings.DayOrder) -> Note:
    """Return a note on the order of day and month, a doubt where another one fits as well."""
    return Note(
        f"{plain(name, 60)} is read with the {order.text}",
        column=plain(name, 60),
        read_as="dates",
        kind="doubt" if order.open else "converted",
    )


def _of_dates(column: pa.Array) -> _Moments:
    index = pd.DatetimeIndex(column.to_pandas())
    if index.tz is None:
        return _Moments(index.as_unit("us").asi8)
    utc = index.tz_convert("UTC").tz_localize(None).as_unit("us").asi8
    zone = str(column.type.tz)
    if zone in UTC:
        return _Moments(_days_of_midnights(utc), utc, "UTC")
    return _Moments(clock_times(utc, zone), utc, zone)


def _of_texts(read: spellings.Spelled) -> _Moments:
    clock = read.moments.astype(np.int64)
    if read.offsets is None:
        return _Moments(clock)
    offsets = read.offsets.astype("m8[us]").astype(np.int64)
    utc = clock - offsets
    return _Moments(clock, utc, zone_of(utc, offsets), bool((offsets != offsets[0]).any()))


def _days_of_midnights(utc: Times) -> Times:
    """Days of local midnights that were turned into UTC, if summer time betrays them."""
    hours = np.unique(utc % DAY)
    if len(hours) != 2 or hours[1] - hours[0] not in (HOUR, DAY - HOUR):
        return utc
    days: Times = np.rint(utc / DAY).astype(np.int64) * DAY
    return days if len(np.unique(days)) == len(np.unique(utc)) else utc


def _settled(moments: _Moments, frequency: Frequency | None) -> TimeColumn:
    """Days as the clocks showed them, anything finer in UTC: no hour is missing or twice there.

    Where times without a zone were trained on, all are those of clocks.
    A day that begins at another hour of UTC may be another day where it was measured, so its hour
    is shown too.
    """
    if moments.utc is None:
        if frequency is not None and frequency.zone:
            return _placed(moments.clock, frequency.zone)
        return TimeColumn(moments.clock, True)
    if frequency is not None and not frequency.zone:
        text = f"times in the zone {plain(moments.zone, 40)} are taken as its clocks show them"
        notes = () if frequency.in_days else (Note(text, read_as="dates"),)
        return TimeColumn(moments.clock, True, notes=notes)
    step = frequency or find_frequency(np.unique(moments.clock), dated=True)
    midnight = moments.zone != "UTC" or not (moments.clock % DAY).any()
    if step.in_days and midnight:
        return TimeColumn(moments.clock, True)
    zone = frequency.zone if frequency else moments.zone
    notes = (zone_note(zone, moments.offsets),) if zone and not frequency else ()
    return TimeColumn(moments.utc, True, zone=zone, notes=notes)


def _placed(clock: Times, zone: str) -> TimeColumn:
    """Times without a zone, taken as those of the zone of the training rows."""
    index = pd.DatetimeIndex(clock.astype("M8[us]"))
    # The hour that comes twice in autumn is the second one where it comes once.
    local = index.tz_localize(
        zone, ambiguous=np.zeros(len(index), np.bool_), nonexistent="shift_forward"
    )
    utc = local.tz_convert("UTC").tz_localize(None).as_unit("us").asi8
    text = f"times without a zone are taken as those of {plain(zone, 40)}, as in training"
    return TimeColumn(utc, True, zone=zone, notes=(Note(text, read_as="dates"),))


def _check(
    name: str,
    moments: NDArray[np.datetime64],
    text: Callable[[int], str],
    kind: Callable[[int], str] = lambda row: "a date",
) -> None:
    missing = np.isnat(moments)
    if missing.any():
        row = int(missing.argmax())
        raise _unreadable(name, row, text(row), kind(row))


def _kind(texts: pd.Series, spelling: str) -> Callable[[int], str]:
    """Return what the text of a row should be: a date, or one in the order of all others."""

    def kind(row: int) -> str:
        if spelling in spellings.FISCAL:
            return f"a {spelling}"
        others = [name for name in _MIXED if name != spelling] if spelling in _MIXED else []
        swapped = any(not spellings.spelled(texts.iloc[[row]], name).wrong[0] for name in others)
        return f"a date {_MIXED[spelling]}, as others are" if swapped else "a date"

    return kind


def _unreadable(name: str, row: int, what: str, kind: str = "a date") -> DataError:
    where = f"The time column {plain(name, 60)!r} holds {what} in row {row + 1:,}"
    return DataError(
        f"{where}, which is not {kind}.",
        "Correct or remove the row, or set task.time to another column.",
    )
