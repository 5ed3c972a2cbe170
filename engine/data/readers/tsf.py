"""Files of the Monash archive of time series (``.tsf``): a line a series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_STEPS = {
    "yearly": "YS", "quarterly": "QS", "monthly": "MS", "weekly": "7D", "daily": "D",
    "half_hourly": "30min", "hourly": "h", "minutely": "min", "10_minutes": "10min",
    "15_minutes": "15min", "5_minutes": "5min", "4_seconds": "4s", "secondly": "s",
}  # fmt: skip
"""Names of frequencies, and those of pandas."""
_OWN = ("time", "value")
"""Columns that are no attributes of a series."""
_LAST = np.datetime64("9999-12-31T23:59:59.999999")
_DATES = ("%Y-%m-%d %H-%M-%S", "%Y-%m-%d")


@dataclass
class _Header:
    attributes: list[tuple[str, str]] = field(default_factory=list)
    """Names and types of what stands before the values of a series."""
    frequency: str = ""


def read_tsf(path: Path, text: str) -> tuple[pa.Table, tuple[Note, ...]]:
    """One row a value: the attributes of its series, ``time`` and ``value``; and notes.

    The time is a date where the file has a start and a frequency, else a count from 1; ``?`` is a
    missing value. Raises :class:`DataError` that names the line.
    """
    header, lines = _header(path, text)
    numbered = [(number, _series(path, header, number, line)) for number, line in lines]
    parts = [part for _, part in numbered if part["value"].null_count < len(part)]
    if not parts:
        raise DataError(f"{plain(path.name)} has no series with a value behind @data.")
    notes = [*_notes(path, header)]
    if empty := [number for number, part in numbered if part["value"].null_count == len(part)]:
        why = (
            f"{counted(len(empty), 'series', 'series')} without any value left out, the first in "
            f"line {empty[0]:,} of {plain(path.name)}"
        )
        notes.append(Note(why, rows=len(empty), kind="lost"))
    return pa.concat_tables(parts, promote_options="permissive"), tuple(notes)


def _notes(path: Path, header: _Header) -> Iterator[Note]:
    """Yield a note where the dates that series begin at cannot be used."""
    starts = any(kind == "date" for _, kind in header.attributes)
    if starts and header.frequency not in _STEPS:
        named = f"its @frequency {header.frequency!r} is not known" if header.frequency else ""
        named = named or "it has no @frequency"
        why = (
            f"the dates that series begin at are not used, as {plain(named, 80)}: rows are counted"
        )
        yield Note(why, plain(path.name), "count from 1", kind="dropped")


def _header(path: Path, text: str) -> tuple[_Header, Iterator[tuple[int, str]]]:
    """The header before ``@data``, and the numbered lines behind it."""
    header = _Header()
    lines = ((i, line.strip()) for i, line in enumerate(text.splitlines(), 1))
    some = ((i, line) for i, line in lines if line and not line.startswith("#"))
    for number, line in some:
        word, *rest = line.split()
        if word.lower() == "@data":
            return header, some
        if word.lower() == "@attribute" and len(rest) == 2:
            if rest[0] in (*_OWN, *(name for name, _ in header.attributes)):
                raise _wrong(path, number, f"names an attribute {rest[0]}, as another column is")
            header.attributes.append((rest[0], rest[1].lower()))
        elif word.lower() == "@frequency" and rest:
            header.frequency = rest[0].lower()
        elif not word.startswith("@") or word.lower() == "@attribute":
            raise _wrong(path, number, "is not a line of a header")
    raise DataError(f"{plain(path.name)} has no line @data.", "It may not be a .tsf file.")


def _series(path: Path, header: _Header, number: int, line: str) -> pa.Table:
    """The rows of one line."""
    *given, written = line.split(":")
    if len(given) != len(header.attributes):
        raise _wrong(
            path, number, f"has {len(given)} attributes, where {len(header.attributes)} are named"
        )
    try:
        values = numbers_of(written)
    except ValueError:
        raise _wrong(path, number, "has a value that is neither a number nor ?") from None
    count = len(values)
    columns: dict[str, pa.Array] = {}
    times: pa.Array = pa.array(np.arange(1, count + 1))
    for (name, kind), text in zip(header.attributes, given, strict=True):
        if kind != "date":
            columns[name] = pa.array([text.strip()] * count)
            continue
        read = (pd.to_datetime(text.strip(), format=form, errors="coerce") for form in _DATES)
        start = next((date for date in read if not pd.isna(date)), None)
        if start is None:
            raise _wrong(path, number, f"has the start {text!r}, which is not a date")
        if header.frequency in _STEPS:
            try:
                times = pa.array(_dates(start, _STEPS[header.frequency], count))
            except (ValueError, OverflowError):
                raise _wrong(path, number, "continues beyond the last date there is") from None
    return pa.table(
        columns | dict(zip(_OWN, (times, pa.array(values, from_pandas=True)), strict=True))
    )


def numbers_of(written: str) -> NDArray[np.float64]:
    """Numbers between commas, ``?`` as NaN; raises ``ValueError`` for what is neither."""
    if "_" in written or not written.isascii():  # float reads 1_000 and digits of any script
        raise ValueError
    texts = written.split(",") if written.strip() else ["?"]  # a series without any value
    return np.array([np.nan if text.strip() == "?" else float(text) for text in texts])


def _dates(start: pd.Timestamp, step: str, count: int) -> pd.DatetimeIndex:
    """Dates from ``start`` on; months are counted from its day, wherever in the month it is.

    Raises ``ValueError`` or ``OverflowError`` beyond the year 9999.
    """
    months = {"YS": 12, "QS": 3, "MS": 1}.get(step)
    if months is None:
        dates = pd.date_range(start, periods=count, freq=step).as_unit("us")
    else:
        later = [start + pd.DateOffset(months=months * i) for i in range(count)]
        dates = pd.DatetimeIndex(later).as_unit("us")
    if dates.to_numpy()[-1] > _LAST:  # Python's datetime has no later one
        raise OverflowError
    return dates


def _wrong(path: Path, number: int, what: str) -> DataError:
    return DataError(f"Line {number:,} of {plain(path.name)} {plain(what)}.", "Correct the line.")
