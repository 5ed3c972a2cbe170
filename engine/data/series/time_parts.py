"""Times in several columns: year and month, date and hour, date and time of day."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.dates.calendar_parts import months_of, weeks_of
from engine.data.dates.fiscal import fiscal_years
from engine.data.dates.month_names import with_short_months
from engine.data.dates.spellings import CENTURY
from engine.data.series.channels import is_text
from engine.data.series.times import TimeColumn, is_date_column, read_times
from engine.files.sanitize import plain
from engine.reports.note import Note

Floats = NDArray[np.float64]
Moments = NDArray[np.datetime64]
Durations = NDArray[np.timedelta64]

_NAMES = {
    "year": ("year", "yr", "yyyy", "jahr", "année", "annee", "año", "anno", "ano", "jaar", "rok",
             "fiscal year", "fiscalyear", "financial year", "fy", "fyear"),
    "quarter": ("quarter", "qtr", "q", "quartal", "trimestre", "kwartaal", "kwartał",
                "fiscal quarter", "fiscalquarter", "fq", "fqtr"),
    "month": ("month", "mon", "mnth", "mo", "mm", "month of year", "monat", "mois", "mes", "mês",
              "mese", "maand", "miesiąc"),
    "week": ("week", "wk", "week of year", "weekofyear", "isoweek", "iso week", "weeknum", "woche",
             "kw", "kalenderwoche", "semaine", "semana", "settimana", "tydzień"),
    "period": ("period", "fiscal period", "fiscalperiod", "fiscal month", "fiscalmonth", "fp"),
    "day": ("day", "dd", "dom", "mday", "day of month", "dayofmonth", "jour", "día", "dia",
            "giorno", "dag", "dzień"),
    "hour": ("hour", "hr", "hh", "hour of day", "stunde", "heure", "hora", "ora", "uur"),
    "minute": ("minute", "min"),
    "second": ("second", "sec"),
}  # fmt: skip
_CHAINS = (
    ("year", "month", "day", "hour", "minute", "second"),
    ("year", "quarter"),
    ("year", "week"),
    ("year", "period"),
)
_MARKS = {
    "quarter": "q|qtr|quarter|quartal|t|trim|trimestre|k|kw", "month": "m|month|mois|monat",
    "week": "w|wk|week|kw|cw|s|sem|semaine|woche", "period": "p|per|period|m|month",
}  # fmt: skip
"""Words beside the number of a part of a year."""
_ON_A_DATE = ("hour", "minute", "second")
_LARGEST = {"day": 31, "hour": 24, "minute": 59, "second": 59}
"""Hours are counted from 0 to 23, or from 1 to 24 where they end."""
_LENGTHS = {"day": "D", "hour": "h", "minute": "m", "second": "s"}
_CLOCK = r"^\s*\d{1,2}[:.]\d{2}([:.]\d{2})?(\.\d+)?\s*$"
_WRITTEN = re.compile(r"^(\d+)[:.](\d+)(?:[:.](\d{2}))?(\.\d+)?$")
_CLOCK_NAMES = ("time", "time of day", "clock", "timeofday", "uhrzeit", "zeit", "heure", "hora",
                "ora", "tijd", "godzina")  # fmt: skip


def find_time_parts(table: pa.Table, time: str, taken: Collection[str] = ()) -> tuple[str, ...]:
    """The columns that together have the time; empty where ``time`` alone does.

    ``taken`` have another role.
    """
    free = [name for name in table.column_names if name not in taken]
    known = _by_kind(free)
    if not time or not (known or _clocks(table, free)) or not _repeats(table[time]):
        return ()
    for chain in _CHAINS if time in known.values() else ():
        names = _first_of_chain(chain, known)
        while len(names) > 1 and time in names:
            if not np.isnat(_moments(table, names)).any():
                return names
            names = names[:-1]
    return _on_a_date(table, time, free) if is_date_column(time, table[time]) else ()


def day_parts(names: Sequence[str]) -> tuple[str, ...]:
    """The columns that are named year, month and day; empty where one is missing."""
    chain = ("year", "month", "day")
    found = _first_of_chain(chain, _by_kind(names))
    return found if len(found) == len(chain) else ()


def first_unread_part(table: pa.Table, year: str, part: str) -> int:
    """Return the first row whose ``part`` of the ``year`` is not read as one."""
    return int(np.isnat(_moments(table, (year, part))).argmax())


def parts_of_years(names: Sequence[str]) -> list[str]:
    """Return the columns that are named like a part of a year, such as a quarter."""
    return [name for name in names if {*_by_kind([name])} & {*_MARKS}]


def year_column(names: Sequence[str]) -> str:
    """The first column that is named like a year; or empty."""
    return _by_kind(names).get("year", "")


def read_time_parts(table: pa.Table, parts: Sequence[str], spelling: str = "") -> TimeColumn:
    """Read the times of columns that :func:`find_time_parts` found.

    Raises :class:`~engine.errors.DataError` for a row without a time.
    """
    first, *rest = parts
    if "year" not in _by_kind([first]):
        column = read_times(table, first, None, spelling)
        moments: Moments = column.times.astype("M8[us]")
        for name in rest:
            moments = moments + _durations(table[name], name)
        spelling, notes = column.spelling, column.notes
    else:
        moments, notes = _moments(table, parts), ()
    joined = pa.table({" ".join(parts): pa.array(moments, pa.timestamp("us"))})
    times = read_times(joined, joined.column_names[0]).times
    names = ", ".join(plain(name, 60) for name in parts)
    months = "; periods are read as months" * bool(_by_kind(parts).keys() & {"period"})
    why = f"the time is read from the columns {names}{months}"
    note = Note(why, read_as="dates", kind="converted")
    return TimeColumn(times, True, spelling, notes=(*notes, note))


def _repeats(column: pa.ChunkedArray) -> bool:
    return bool(pc.count_distinct(column).as_py() < len(column))


def _by_kind(names: Sequence[str]) -> dict[str, str]:
    """For each kind of part, the first column with such a name."""
    known: dict[str, str] = {}
    for name in names:
        words = name.strip().lower().replace("_", " ").replace("-", " ")
        for kind, usual in _NAMES.items():
            if words in usual:
                known.setdefault(kind, name)
    return known


def _first_of_chain(chain: Sequence[str], known: dict[str, str]) -> tuple[str, ...]:
    names = []
    for kind in chain:
        if kind not in known:
            break
        names.append(known[kind])
    return tuple(names)


def _on_a_date(table: pa.Table, date: str, free: Sequence[str]) -> tuple[str, ...]:
    """The date with a time of day or an hour beside it, if there is one."""
    if clocks := _clocks(table, [name for name in free if name != date]):
        return (date, clocks[0])
    known = _by_kind([name for name in free if name != date])
    names = _first_of_chain(_ON_A_DATE, known)
    valid = all(not np.isnat(_durations(table[name], name)).any() for name in names)
    return (date, *names) if names and valid else ()


def _clocks(table: pa.Table, names: Sequence[str]) -> list[str]:
    return [name for name in names if _is_clock(name, table[name])]


def _is_clock(name: str, column: pa.ChunkedArray) -> bool:
    if pt.is_time(column.type):
        return not column.null_count
    if not is_text(column.type) or name.strip().lower() not in _CLOCK_NAMES:
        return False
    return bool(pc.all(pc.match_substring_regex(column, _CLOCK)).as_py())


def _moments(table: pa.Table, parts: Sequence[str]) -> Moments:
    """Moments of a year and its parts; NaT where a part is no such number."""
    kinds = {name: kind for kind, name in _by_kind(parts).items()}
    years = _years(table[parts[0]])
    second = _numbers(table[parts[1]], _MARKS[kinds[parts[1]]])
    if kinds[parts[1]] == "week":
        return weeks_of(years, second)
    if kinds[parts[1]] == "quarter":
        return months_of(years, 3 * second - 2)
    moments = months_of(years, second)
    whole = moments.astype("M8[M]")
    for name in parts[2:]:
        moments = moments + _durations(table[name], name)
        if kinds[name] == "day":
            moments = np.where(moments.astype("M8[M]") == whole, moments, np.datetime64("NaT"))
    return moments.astype("M8[us]")


def _durations(column: pa.ChunkedArray, name: str) -> Durations:
    """Time since midnight, or of a day since the first; NaT where there is none."""
    kind = next(iter(_by_kind([name])), "")
    if not kind:
        return _since_midnight(column)
    values = _numbers(column) - (kind == "day")
    known = (values >= 0) & (values <= _LARGEST[kind]) & (values % 1 == 0)
    counts = np.where(known, values, 0).astype(np.int64).astype(f"m8[{_LENGTHS[kind]}]")
    return np.where(known, counts.astype("m8[us]"), np.timedelta64("NaT"))


def _since_midnight(column: pa.ChunkedArray) -> Durations:
    """Times of day, of their type or written ``17:24`` or ``17.24.00``."""
    if pt.is_time(column.type):
        times = column.cast(pa.time64("us")).cast(pa.int64()).to_numpy()
        return np.asarray(times).astype("m8[us]")
    texts = pd.Series(column.to_pandas()).str.strip().str.replace(_WRITTEN, _whole, regex=True)
    return np.asarray(pd.to_timedelta(texts, errors="coerce")).astype("m8[us]")


def _whole(written: re.Match[str]) -> str:
    hour, minute, second, fraction = written.groups()
    return f"{hour}:{minute}:{second or '00'}{fraction or ''}"


def _years(column: pa.ChunkedArray) -> Floats:
    """The values as years, fiscal ones as the year that they are named after; NaN for the rest."""
    texts = column.to_pandas()
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.isna().any() and is_text(column.type):
        named = fiscal_years(texts.astype(str).str.strip(), CENTURY)
        numbers = numbers.where(numbers.notna(), named)
    return np.asarray(numbers, np.float64)


def _numbers(column: pa.ChunkedArray, marks: str = "") -> Floats:
    """The values as numbers, names of months as theirs; NaN for the rest.

    A number may have one of the ``marks`` before or behind it, as ``Q1`` and ``1T``.
    """
    texts = column.to_pandas()
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.isna().any():
        written = texts.astype(str).str.strip()
        names = pd.to_datetime(with_short_months(written), format="%b", errors="coerce").dt.month
        numbers = numbers.where(numbers.notna(), names)
        if marks:
            pattern = rf"^(?i:(?:{marks})[ ._-]*(\d{{1,2}})|(\d{{1,2}})[ ._-]*(?:{marks}))$"
            parts = written.str.extract(pattern)
            numbers = numbers.where(numbers.notna(), parts[0].fillna(parts[1]).astype(float))
    return np.asarray(numbers, np.float64)
