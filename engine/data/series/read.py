"""From a table to a regular series: rows in the order of time, one a step, without gaps.

Repairs (order, repetitions, gaps, missing values) are counted and reported. Row numbers in messages
begin at 1 and do not count a header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.series.frequency import Frequency, Times, find_frequency
from engine.data.series.times import find_time_column, read_times
from engine.errors import DataError
from engine.files.sanitize import plain

Fill = Literal["linear", "previous", "refuse"]
Values = NDArray[np.float64]

_TARGET_NAMES = ("target", "y", "value", "ot")
_LONGEST_GRID = 4
"""A grid with more steps than this for each row has a wrong date in it rather than gaps."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of a table's columns: time, targets, inputs."""

    time: str
    """Empty where no column has the time and rows are just in order."""
    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    """Columns that are seen beside the targets."""

    @property
    def channels(self) -> tuple[str, ...]:
        """All columns of numbers, targets first."""
        return (*self.targets, *self.inputs)


@dataclass(frozen=True)
class Series:
    """Numbers at regular times."""

    times: Times
    """``[rows]``, increasing."""
    values: Values
    """``[rows, channels]``, all finite."""
    frequency: Frequency
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def slice(self, start: int, end: int) -> Series:
        """Some of the rows."""
        return replace(self, times=self.times[start:end], values=self.values[start:end])

    def precedes(self, other: Series) -> bool:
        """Return whether ``other`` starts one step after this one ends."""
        if not len(self) or not len(other):
            return False
        if not self.frequency.regular:
            longest = np.diff(self.times).max(initial=self.frequency.step)
            return bool(0 < other.times[0] - self.times[-1] <= longest)
        after = self.frequency.along(int(self.times[-1]), np.array([1]))
        return bool(after[0] == other.times[0])


def find_roles(
    table: pa.Table, time: str = "", targets: Sequence[str] = (), inputs: Sequence[str] = ()
) -> Roles:
    """The columns that were named, and for those that were not, the likeliest.

    Without ``targets`` a column with a usual name is taken, else the last one of numbers; without
    ``inputs`` all columns of numbers. Raises :class:`DataError` for a missing column.
    """
    check_columns(table, Roles(time, tuple(targets), tuple(inputs)))
    time = time or find_time_column(table)
    numeric = [name for name in table.column_names if name != time and _has_numbers(table[name])]
    if not targets:
        usual = [name for name in numeric if name.strip().lower() in _TARGET_NAMES]
        if not numeric:
            raise DataError("The data has no column of numbers to forecast.")
        targets = [(usual or numeric)[-1]]
    targets = tuple(dict.fromkeys(targets))
    seen = [name for name in inputs or numeric if name not in targets]
    return Roles(time, targets, tuple(dict.fromkeys(seen)))


def check_columns(table: pa.Table, roles: Roles) -> None:
    """Raise :class:`DataError` for a column of ``roles`` that the table lacks."""
    fields = {"time": [roles.time] if roles.time else [], "targets": roles.targets,
              "inputs": roles.inputs}  # fmt: skip
    for field, names in fields.items():
        for name in names:
            if name not in table.column_names:
                known = ", ".join(plain(column, 40) for column in table.column_names[:20])
                raise DataError(
                    f"The data has no column {plain(name, 60)!r} (task.{field}).",
                    f"It has {known}.",
                )


def unused_columns(table: pa.Table, roles: Roles) -> list[str]:
    """Columns without a role, each with its type."""
    used = {roles.time, *roles.channels}
    return [f"{name} ({table[name].type})" for name in table.column_names if name not in used]


def _has_numbers(column: pa.ChunkedArray) -> bool:
    return _is_number(column.type) and column.null_count < len(column)


def _is_number(type: pa.DataType) -> bool:
    kinds = (pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_boolean)
    return any(kind(type) for kind in kinds)


def read_series(
    table: pa.Table, roles: Roles, fill: Fill = "linear", frequency: Frequency | None = None
) -> Series:
    """Read a regular series of the columns in ``roles``; a given ``frequency`` is used.

    Raises :class:`DataError` that names the column and, where it is one, the row.
    """
    if not table.num_rows:
        raise DataError("The data has no rows.")
    values, notes = _numbers(table, roles.channels, fill)
    if not roles.time:
        times: Times = np.arange(table.num_rows)
        series = Series(times, values, Frequency("number", 1), tuple(notes))
        return _without_holes(series, fill)
    # A large count that started at 0 looks like dates.
    column = read_times(table, roles.time, frequency is not None and not frequency.dated)
    if frequency is not None and frequency.dated != column.dated:
        kinds = ("dates", "numbers") if frequency.dated else ("numbers", "dates")
        raise DataError(
            f"The time column {plain(roles.time, 60)!r} was learned with {kinds[0]} and now has "
            f"{kinds[1]}."
        )
    times, values, ordering = _in_order(column.times, values, roles.time)
    frequency = frequency or find_frequency(times, column.dated)
    series = Series(times, values, frequency, (*column.notes, *notes, *ordering))
    return _without_holes(_on_grid(series, roles.time, fill), fill)


def _numbers(table: pa.Table, names: Sequence[str], fill: Fill) -> tuple[Values, list[str]]:
    """``[rows, columns]`` with NaN for what is missing or infinite."""
    notes = []
    columns = []
    for name in names:
        values = _column_of_numbers(table, name)
        missing = ~np.isfinite(values)
        if missing.all():
            raise DataError(f"The column {plain(name, 60)!r} holds no numbers.", "Leave it out.")
        if missing.any():
            text = (
                f"{plain(name, 60)}: {missing.sum():,} values are missing or infinite "
                f"(the first in row {missing.argmax() + 1:,})"
            )
            if fill == "refuse":
                raise DataError(f"{text}.", "Choose how to fill them with task.fill.")
            notes.append(f"{text}, filled ({fill})")
        columns.append(np.where(missing, np.nan, values))
    return np.stack(columns, 1), notes


def _column_of_numbers(table: pa.Table, name: str) -> Values:
    column = table[name].combine_chunks()
    if _is_number(column.type):
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
    texts = pd.Series(column.to_pandas(), dtype=object)
    numbers = pd.to_numeric(texts, errors="coerce")
    wrong = (numbers.isna() & texts.notna()).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"The column {plain(name, 60)!r} holds {plain(texts.iloc[row], 40)!r} in row "
            f"{row + 1:,}, which is not a number.",
            "Mend the row or choose another column.",
        )
    return numbers.to_numpy(np.float64)


def _in_order(times: Times, values: Values, name: str) -> tuple[Times, Values, list[str]]:
    """Rows sorted by time, those of one time merged into their mean."""
    notes = []
    backward = np.diff(times) < 0
    if backward.any():
        notes.append(
            f"{plain(name, 60)} goes back {backward.sum():,} times (first in row "
            f"{backward.argmax() + 2:,}); rows are sorted by it"
        )
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    first = np.flatnonzero(np.diff(times, prepend=times[0] - 1) > 0)
    repeated = len(times) - len(first)
    if not repeated:
        return times, values, notes
    if 2 * len(first) <= len(times):
        raise DataError(
            f"The column {plain(name, 60)!r} repeats each time about {len(times) // len(first)} "
            "times: the data seems to hold several series.",
            "Keep the rows of one of them, or put each into a separate column.",
        )
    notes.append(f"{repeated:,} rows repeat a time of {plain(name, 60)}; their mean is taken")
    return times[first], _means(values, first), notes


def _means(values: Values, first: NDArray[np.int64]) -> Values:
    """Means over the rows from each ``first`` to the next, of what is not missing."""
    known = ~np.isnan(values)
    sums = np.add.reduceat(np.where(known, values, 0.0), first)
    counts = np.add.reduceat(known.astype(np.int64), first)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _on_grid(series: Series, name: str, fill: Fill) -> Series:
    """One row a step; steps without one get NaN."""
    times, frequency = series.times, series.frequency
    if not frequency.regular:
        note = (
            f"{plain(name, 60)} keeps to no regular step (the median is {frequency.name}); "
            "each row counts as one step"
        )
        return replace(series, notes=(*series.notes, note))
    positions = frequency.positions(times)
    jumps = np.diff(positions)
    if (jumps == 1).all():
        return series
    gaps = jumps > 1
    _check_gaps(series, name, jumps, fill)
    notes = list(series.notes)
    # Times between two steps may have been rounded to the same one.
    first = np.flatnonzero(np.diff(positions, prepend=positions[0] - 1) > 0)
    if len(first) < len(positions):
        notes.append(f"{len(positions) - len(first):,} rows between two steps are merged")
    values = np.full((int(positions[-1]) + 1, series.values.shape[1]), np.nan)
    values[positions[first]] = _means(series.values, first)
    if gaps.any():
        longest = int(jumps.argmax())
        notes.append(
            f"{gaps.sum():,} gaps in {plain(name, 60)}, {(jumps[gaps] - 1).sum():,} steps of "
            f"{frequency.name} in all, are filled ({fill}); the longest, {jumps[longest] - 1:,} "
            f"steps, comes after {frequency.text(int(times[longest]))}"
        )
    grid = frequency.along(int(times[0]), np.arange(len(values)))
    return Series(grid, values, frequency, tuple(notes))


def _check_gaps(series: Series, name: str, jumps: NDArray[np.int64], fill: Fill) -> None:
    longest = int(jumps.argmax())
    after = series.frequency.text(int(series.times[longest]))
    if int(jumps.sum()) > _LONGEST_GRID * len(series):
        raise DataError(
            f"The column {plain(name, 60)!r} has steps of {series.frequency.name}, but jumps by "
            f"{jumps[longest]:,} of them after {after}.",
            "Look for a wrong date there, or keep the rows on one side of the jump.",
        )
    if fill == "refuse" and jumps.max() > 1:
        raise DataError(
            f"The column {plain(name, 60)!r} lacks {jumps[longest] - 1:,} steps of "
            f"{series.frequency.name} after {after}.",
            "Choose how to fill gaps with task.fill.",
        )


def _without_holes(series: Series, fill: Fill) -> Series:
    """Missing values filled in, column by column."""
    missing = np.isnan(series.values)
    if not missing.any():
        return series
    columns = zip(series.values.T, missing.T, strict=True)
    return replace(series, values=np.stack([_filled(*pair, fill) for pair in columns], 1))


def _filled(values: Values, missing: NDArray[np.bool_], fill: Fill) -> Values:
    known = np.flatnonzero(~missing)
    rows = np.arange(len(values))
    if fill == "linear":
        return np.interp(rows, known, values[known])
    # The last known row at or before each; before the first known one, that one.
    before = np.maximum(np.searchsorted(known, rows, side="right") - 1, 0)
    filled: Values = values[known[before]]
    return filled
