"""Tables whose cells are whole series, as GluonTS and Chronos keep them, as a row a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.series.frequency_names import frequency_named
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

TIME, VALUE, SERIES = "time", "value", "series"
_TARGET, _STARTS, _FREQUENCY = "target", ("start", "start_time"), "freq"
_CATEGORIES = "feat_static_cat"
_IDS = ("item_id", "id", "unique_id")
_TIMES = ("timestamp", "timestamps", "time", "times", "date", "dates", "ds")

Lengths = NDArray[np.int64]
"""Number of values of each row."""


@dataclass(frozen=True, slots=True)
class ListedSeries:
    """The columns of a table whose cells are whole series."""

    target: str
    time: str
    """Column of lists of times; empty where there is none."""
    start: str
    """Column of the first time of each series; empty where there is none."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that become rows."""
        return (self.target,)

    def notes(self, table: pa.Table) -> tuple[Note, ...]:
        """Return the note on how the training rows were read."""
        why = f"the lists in {plain(self.target, 40)} of {counted(table.num_rows, 'row')} are "
        why += f"{counted(table.num_rows, 'series', 'series')} with a row a step"
        if not self.time and not _has_frequency(table):
            why += "; their steps are counted, as no column says how long one takes"
        return (Note(why, plain(self.target, 40), "series", table.num_rows, kind="converted"),)

    def rows(self, table: pa.Table) -> pa.Table:
        """Return a row for each value. Raises :class:`DataError`."""
        lengths = pc.list_value_length(table[self.target]).fill_null(0).to_numpy()
        owner = np.repeat(np.arange(table.num_rows), lengths)
        columns: dict[str, pa.ChunkedArray | pa.Array] = {}
        if not any(name in table.column_names for name in _IDS):
            columns[SERIES] = pa.array(owner + 1).cast(pa.string())
        columns[TIME] = self._times(table, lengths)
        for field in table.schema:
            if field.name in (self.target, self.time, self.start, _FREQUENCY):
                continue
            columns |= _spread(table, field.name, lengths, owner)
        columns[VALUE] = _values(table[self.target])
        return pa.table(columns)

    def _times(self, table: pa.Table, lengths: Lengths) -> pa.Array | pa.ChunkedArray:
        if self.time:
            own = pc.list_value_length(table[self.time]).fill_null(0).to_numpy()
            if not np.array_equal(own, lengths):
                row = int(np.flatnonzero(own != lengths)[0])
                raise DataError(
                    f"row {row + 1:,}: {plain(self.time, 40)} has {own[row]:,} times, "
                    f"{plain(self.target, 40)} {lengths[row]:,} values."
                )
            return pc.list_flatten(table[self.time])
        if self.start and _has_frequency(table):
            starts, steps = (table[name].to_pylist() for name in (self.start, _FREQUENCY))
            each = enumerate(zip(starts, steps, lengths.tolist(), strict=True), 1)
            pieces = [_dates(row, *given) for row, given in each]
            return pa.array(np.concatenate(pieces).astype("M8[us]"))
        counted_steps = [np.arange(1, length + 1) for length in lengths]
        return pa.array(np.concatenate(counted_steps))


def _dates(row: int, start: Any, step: Any, count: int) -> NDArray[np.int64]:
    """The times of the values of a row: the first at its start, whatever period begins there."""
    frequency = frequency_named(str(step))
    if frequency is None:
        raise DataError(
            f"row {row:,}: {_FREQUENCY} is {plain(str(step), 40)!r}, which is not a step of time.",
            "Write it as h, D, W, M or 15min, for example, or leave the column out.",
        )
    try:
        moment = pd.Timestamp(start)
        moment = moment.tz_localize(None)  # as its clock shows it
        first = moment.as_unit("us").to_datetime64()
    except (TypeError, ValueError):
        first = np.datetime64("NaT", "us")
    if np.isnat(first):
        shown = "nothing" if start is None else repr(plain(str(start), 40))
        raise DataError(f"row {row:,}: the start is {shown}, which is not a date.")
    return np.asarray(frequency.along(int(first.astype(np.int64)), np.arange(count)), np.int64)


def _has_frequency(table: pa.Table) -> bool:
    return _FREQUENCY in table.column_names


def listed_series(table: pa.Table) -> ListedSeries | None:
    """Return the columns with series in their cells; ``None`` for other tables."""
    numbers = [field.name for field in table.schema if _is_list_of(field.type, _is_number)]
    if _TARGET in numbers:
        target = _TARGET
    elif len(numbers) == 1:
        target = numbers[0]
    else:
        return None
    times = [
        field.name
        for field in table.schema
        if _is_list_of(field.type, pa.types.is_temporal)
        or (field.name.lower() in _TIMES and _is_list_of(field.type, pa.types.is_string))
    ]
    start = next((name for name in _STARTS if name in table.column_names), "")
    return ListedSeries(target, next(iter(times), ""), start)


def _is_list_of(kind: pa.DataType, inner: Callable[[pa.DataType], bool]) -> bool:
    alike = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(alike and inner(kind.value_type))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _values(column: pa.ChunkedArray) -> pa.Array:
    return pc.list_flatten(column)


def _spread(
    table: pa.Table, name: str, lengths: Lengths, owner: Lengths
) -> dict[str, pa.Array | pa.ChunkedArray]:
    """Return a column by steps: a value for all steps of a row, a list with one for each.

    Shorter lists are values of the series itself, lists of lists some of either kind.
    """
    column = table[name]
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return {name: column.take(pa.array(owner))}
    cells = column.to_pylist()
    if _is_list_of(kind, _is_list_of_numbers):
        several = max((len(cell or ()) for cell in cells), default=0)
        parts = {
            f"{name}_{at + 1}": [cell[at] if cell and len(cell) > at else None for cell in cells]
            for at in range(several)
        }
    else:
        parts = {name: cells}
    result: dict[str, pa.Array | pa.ChunkedArray] = {}
    for part, rows in parts.items():
        result |= _spread_lists(part, rows, lengths, owner)
    return result


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    return _is_list_of(kind, _is_number)


def _spread_lists(
    name: str, rows: Sequence[Sequence[Any] | None], lengths: Lengths, owner: Lengths
) -> dict[str, pa.Array]:
    # Lists of what is known ahead go on beyond the values; the steps of the data are the first.
    if all(row is None or len(row) >= length for row, length in zip(rows, lengths, strict=True)):
        values = [
            value
            for row, length in zip(rows, lengths, strict=True)
            for value in (row[:length] if row is not None else [None] * length)
        ]
        return {name: pa.array(values)}
    widest = max(len(row or ()) for row in rows)
    coded = name == _CATEGORIES
    return {
        f"{name}_{at + 1}": _own_values(
            [row[at] if row is not None and len(row) > at else None for row in rows], coded
        ).take(pa.array(owner))
        for at in range(widest)
    }


def _own_values(values: Sequence[Any], coded: bool) -> pa.Array:
    """One value a series; numbers that are ``coded`` categories are texts."""
    made = pa.array(values)
    return made.cast(pa.string()) if coded else made
