"""Columns of dates in their many spellings, as int64 times.

The unit is that of :mod:`engine.data.series.frequency`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from engine.data.series.frequency import Times
from engine.errors import DataError
from engine.files.sanitize import plain

_NAMES = ("date", "time", "datetime", "timestamp", "ds", "day", "month", "year", "period", "step")
_EPOCH_UNITS: tuple[tuple[Literal["ns", "us", "ms", "s"], float], ...] = (
    ("ns", 1e17),
    ("us", 1e14),
    ("ms", 1e11),
    ("s", 1e8),
)
"""Whole numbers from this size on are taken as time since 1970 in that unit."""
_LOOKED_AT = 200


@dataclass(frozen=True)
class TimeColumn:
    """Times in the order of the rows."""

    times: Times
    dated: bool
    """Whether they are dates; else numbers that only count."""
    notes: tuple[str, ...] = ()


def find_time_column(table: pa.Table) -> str:
    """Return the time column: one of dates, else one with such a name; or empty."""
    columns = dict(zip(map(str, table.column_names), table.columns, strict=True))
    dates = [name for name, column in columns.items() if _is_date(column.type)]
    dates += [name for name, column in columns.items() if _looks_like_dates(column)]
    counted = [name for name in columns if pt.is_integer(columns[name].type)]
    return next(iter([*dates, *(n for n in counted if n.strip().lower() in _NAMES)]), "")


def read_times(table: pa.Table, name: str, counted: bool = False) -> TimeColumn:
    """Read the times of a column; with ``counted``, whole numbers are counts, not dates.

    Raises :class:`DataError` with the first row that has no time.
    """
    column = table[name].combine_chunks()
    if column.null_count:
        raise _unreadable(name, column.is_null().to_numpy(zero_copy_only=False).argmax(), "nothing")
    if _is_date(column.type):
        return TimeColumn(_microseconds(pd.DatetimeIndex(column.to_pandas())), True)
    if pt.is_integer(column.type):
        numbers = column.to_numpy(zero_copy_only=False).astype(np.int64)
        return TimeColumn(numbers, False) if counted else _from_numbers(numbers)
    if _is_text(column.type):
        return _from_texts(name, column.to_pandas())
    raise DataError(
        f"The column {plain(name, 60)!r} cannot hold times: its type is {column.type}.",
        "Set task.time to a column of dates or whole numbers.",
    )


def _is_date(type: pa.DataType) -> bool:
    return bool(pt.is_timestamp(type) or pt.is_date(type))


def _is_text(type: pa.DataType) -> bool:
    return bool(pt.is_string(type) or pt.is_large_string(type))


def _looks_like_dates(column: pa.ChunkedArray) -> bool:
    if not _is_text(column.type):
        return False
    some = column.slice(0, _LOOKED_AT).drop_null().to_pandas()
    return len(some) > 0 and bool(_parsed(some, day_first=False).notna().mean() > 0.5)


def _from_numbers(numbers: Times) -> TimeColumn:
    smallest = int(numbers.min()) if len(numbers) else 0
    for unit, size in _EPOCH_UNITS:
        if smallest >= size:
            times = _microseconds(pd.DatetimeIndex(pd.to_datetime(numbers, unit=unit)))
            return TimeColumn(times, True, (f"times are read as {unit} since 1970",))
    return TimeColumn(numbers, False)


def _from_texts(name: str, texts: pd.Series) -> TimeColumn:
    """Month before day, unless only day before month reads all or keeps the rows in order."""
    month_first = _parsed(texts, day_first=False)
    # Only where the year does not come first can the two be taken for each other.
    year_first = bool(texts.str.match(r"\s*\d{4}").all())
    day_first = month_first if year_first else _parsed(texts, day_first=True)
    differ = not month_first.equals(day_first)
    swapped = differ and _faults(day_first) < _faults(month_first)
    chosen = day_first if swapped else month_first
    missing = chosen.isna().to_numpy()
    if missing.any():
        row = int(missing.argmax())
        raise _unreadable(name, row, repr(plain(texts.iloc[row], 60)))
    order = "day before month" if swapped else "month before day"
    notes = (f"{plain(name, 60)} is read with the {order}",) if differ else ()
    return TimeColumn(_microseconds(pd.DatetimeIndex(chosen)), True, notes)


def _faults(times: pd.Series) -> tuple[int, int]:
    return int(times.isna().sum()), int((times.diff() < pd.Timedelta(0)).sum())


def _parsed(texts: pd.Series, day_first: bool) -> pd.Series:
    """Dates, in UTC and without zone; what is none becomes NaT."""
    with warnings.catch_warnings():
        # That a format cannot be guessed shows in what comes out.
        warnings.simplefilter("ignore", UserWarning)
        times = pd.to_datetime(texts, errors="coerce", dayfirst=day_first, utc=True)
        if times.isna().any():
            # Not all in the format of the first one.
            mixed = pd.to_datetime(
                texts, errors="coerce", dayfirst=day_first, utc=True, format="mixed"
            )
            times = mixed if mixed.isna().sum() < times.isna().sum() else times
    return times.dt.tz_localize(None)


def _microseconds(index: pd.DatetimeIndex) -> Times:
    return index.tz_localize(None).as_unit("us").asi8 if index.tz is None else _utc(index)


def _utc(index: pd.DatetimeIndex) -> Times:
    return _microseconds(index.tz_convert("UTC").tz_localize(None))


def _unreadable(name: str, row: int, what: str) -> DataError:
    return DataError(
        f"The time column {plain(name, 60)!r} holds {what} in row {row + 1:,}, which is not a "
        "date.",
        "Correct or remove the row, or set task.time to another column.",
    )
