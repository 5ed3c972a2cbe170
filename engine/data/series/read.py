"""From a table to a regular series: rows in the order of time, one a step, without gaps.

Repairs (order, repetitions, gaps, missing values) are counted and reported. Row numbers in messages
begin at 1 and do not count a header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.series.channel_values import channel_values
from engine.data.series.channels import Values, number_formats
from engine.data.series.frequency import Frequency, Times, find_frequency
from engine.data.series.roles import Roles
from engine.data.series.several import refuse_several, repeated_rows
from engine.data.series.time_parts import read_time_parts
from engine.data.series.times import TimeColumn, read_times
from engine.data.tables.schema import NumberFormat
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

Fill = Literal["linear", "previous", "refuse"]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]
"""Numbers of rows in a table."""

_LONGEST_GRID = 4
"""A grid with more steps than this for each row has a wrong date in it rather than gaps."""


@dataclass(frozen=True)
class Series:
    """Numbers at regular times."""

    times: Times
    """``[rows]``, increasing."""
    values: Values
    """``[rows, channels]``, all finite."""
    frequency: Frequency
    notes: tuple[Note, ...] = ()
    spelling: str = ""
    """The spelling of times in the table, as in :class:`TimeColumn`."""
    writing: str = ""
    """The form in which times were written, as in :class:`TimeColumn`."""
    formats: Mapping[str, NumberFormat] = field(default_factory=dict)
    """Formats of the numbers in columns of texts."""
    filled: Mask | None = None
    """``[rows, channels]``, the values that were filled in; ``None`` where none was."""

    def __len__(self) -> int:
        return len(self.times)

    def slice(self, start: int, end: int) -> Series:
        """Some of the rows."""
        filled = None if self.filled is None else self.filled[start:end]
        return replace(
            self, times=self.times[start:end], values=self.values[start:end], filled=filled
        )

    def after(self, before: Series) -> Series:
        """The same with the rows of another one before it."""
        marks = [np.zeros(s.values.shape, np.bool_) if s.filled is None else s.filled
                 for s in (before, self)]  # fmt: skip
        whole = np.concatenate(marks)
        return replace(
            self,
            times=np.concatenate([before.times, self.times]),
            values=np.concatenate([before.values, self.values]),
            filled=whole if whole.any() else None,
        )

    def precedes(self, other: Series) -> bool:
        """Return whether ``other`` starts one step after this one ends."""
        if not len(self) or not len(other):
            return False
        if not self.frequency.regular:
            longest = np.diff(self.times).max(initial=self.frequency.step)
            return bool(0 < other.times[0] - self.times[-1] <= longest)
        steps = self.frequency.positions(np.array([self.times[-1], other.times[0]]))
        return int(steps[1]) == 1


def read_series(
    table: pa.Table,
    roles: Roles,
    fill: Fill = "linear",
    frequency: Frequency | None = None,
    spelling: str = "",
    known_only: bool = False,
    formats: Mapping[str, NumberFormat] | None = None,
) -> Series:
    """Read a regular series of the columns in ``roles``.

    The frequency, the spelling of times and the ``formats`` of numbers are found if not given.

    ``known_only`` leaves out the rows before the first and after the last known target: those after
    it are yet to be forecast.
    Raises :class:`DataError` that names the column and, where it is one, the row.
    """
    if not table.num_rows:
        raise DataError("The data has no rows.")
    formats = number_formats(table, roles.numeric) if formats is None else formats
    values = channel_values(table, roles, formats)
    column = read_time_column(table, roles, frequency, spelling)
    kept, notes = _each_once(table, roles, column.times)
    if known_only:
        kept, unknown = _known(column.times, values, roles, kept)
        notes += unknown
    times = column.times
    if len(kept) < len(times):
        times, values = times[kept], values[kept]
    missing = _missing(values, roles.channels, kept, fill)
    times, values, ordering = _in_order(times, values, roles.time, kept)
    if frequency is None:
        frequency = replace(find_frequency(times, column.dated), zone=column.zone)
    all_notes = (*column.notes, *notes, *missing, *ordering)
    series = Series(times, values, frequency, all_notes, column.spelling, column.writing, formats)
    return _without_holes(_on_grid(series, roles.time, fill), fill)


def read_time_column(
    table: pa.Table, roles: Roles, frequency: Frequency | None, spelling: str
) -> TimeColumn:
    """Read the times of the rows, in whatever columns they are; raises :class:`DataError`."""
    if not roles.time:
        return TimeColumn(np.arange(table.num_rows), False)
    if roles.parts and roles.time not in table.column_names:
        column = read_time_parts(table, roles.parts, spelling)
    else:
        column = read_times(table, roles.time, frequency, spelling)
    if frequency is not None and frequency.dated != column.dated:
        kinds = ("dates", "numbers") if frequency.dated else ("numbers", "dates")
        raise DataError(
            f"The time column {plain(roles.time, 60)!r} was learned with {kinds[0]} and now has "
            f"{kinds[1]}."
        )
    return column


def _each_once(table: pa.Table, roles: Roles, times: Times) -> tuple[Rows, list[Note]]:
    """The rows of one series, each once; raises ``DataError`` for several series."""
    twice = repeated_rows(table, roles, times)
    rows = np.flatnonzero(~twice)
    refuse_several(table, roles, times, rows)
    if not twice.any():
        return rows, []
    note = Note(
        f"{counted(int(twice.sum()), 'repeated row')} with the same values (the first is row "
        f"{twice.argmax() + 1:,}): one of each is used",
        rows=int(twice.sum()),
        kind="dropped",
    )
    return rows, [note]


def _known(times: Times, values: Values, roles: Roles, rows: Rows) -> tuple[Rows, list[Note]]:
    """The ``rows`` from the first known target to the last."""
    known = times[~np.isnan(values[:, : len(roles.targets)]).all(1)]
    early, late = times[rows] < known.min(), times[rows] > known.max()
    names = ", ".join(plain(name, 60) for name in roles.targets)
    notes: list[Note] = []
    if early.any():
        notes.append(
            Note(
                f"{counted(int(early.sum()), 'row')} at the beginning without {names}: left out",
                column=names,
                rows=int(early.sum()),
                kind="dropped",
            )
        )
    if late.any():
        beside = ", ".join(plain(name, 60) for name in roles.inputs)
        notes.append(
            Note(
                f"{counted(int(late.sum()), 'row')} at the end without {names}: left out, as the "
                "future to forecast" + f"; a forecast does not use their {beside}" * bool(beside),
                column=names,
                rows=int(late.sum()),
                kind="dropped",
            )
        )
    return rows[~early & ~late], notes


def _missing(values: Values, names: Sequence[str], rows: Rows, fill: Fill) -> list[Note]:
    """Missing values of each column, with the first of the ``rows``; refused if asked to."""
    notes: list[Note] = []
    for name, missing in zip(names, np.isnan(values).T, strict=True):
        if not missing.any():
            continue
        if missing.all():
            raise DataError(
                f"The column {plain(name, 60)!r} has no number in any row that is used.",
                "Leave it out: set task.inputs to the others.",
            )
        text = (
            f"{plain(name, 60)}: {counted(int(missing.sum()), 'missing or infinite value')} "
            f"(the first in row {rows[missing.argmax()] + 1:,})"
        )
        if fill == "refuse":
            raise DataError(f"{text}.", "Choose how to fill them with task.fill.")
        notes.append(
            Note(
                f"{text}, filled ({fill})",
                column=plain(name, 60),
                read_as=f"filled ({fill})",
                rows=int(missing.sum()),
                change="task.fill",
            )
        )
    return notes


def _in_order(
    times: Times, values: Values, name: str, rows: Rows
) -> tuple[Times, Values, list[Note]]:
    """Sort by time, and merge the values of one time into their mean; notes name the ``rows``."""
    notes: list[Note] = []
    backward = np.diff(times) < 0
    if len(times) > 2 and backward.all():
        notes.append(
            Note(
                f"rows stand from the newest to the oldest {plain(name, 60)}: read from the end",
                column=plain(name, 60),
                kind="converted",
            )
        )
        times, values = times[::-1].copy(), values[::-1].copy()  # torch takes no reversed views
    elif backward.any():
        notes.append(
            Note(
                f"{plain(name, 60)} goes back {counted(int(backward.sum()), 'time')} (first in row "
                f"{rows[backward.argmax() + 1] + 1:,}); rows are sorted by it",
                column=plain(name, 60),
                rows=int(backward.sum()),
            )
        )
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    first = np.flatnonzero(np.diff(times, prepend=times[0] - 1) > 0)
    repeated = len(times) - len(first)
    if not repeated:
        return times, values, notes
    notes.append(
        Note(
            f"{counted(repeated, 'row')} with a time of {plain(name, 60)} that occurs before: the "
            "mean of each time is taken",
            column=plain(name, 60),
            rows=repeated,
        )
    )
    return times[first], means_of(values, first), notes


def means_of(values: Values, first: NDArray[np.int64]) -> Values:
    """Means over the rows from each ``first`` to the next, of what is not missing."""
    known = ~np.isnan(values)
    sums = np.add.reduceat(np.where(known, values, 0.0), first)
    counts = np.add.reduceat(known.astype(np.int64), first)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _on_grid(series: Series, name: str, fill: Fill) -> Series:
    """One row a step; steps without one get NaN."""
    times, frequency = series.times, series.frequency
    if not frequency.regular:
        note = Note(
            f"{plain(name, 60)} keeps to no regular step (the median is {frequency.name}); "
            "each row counts as one step",
            column=plain(name, 60),
            read_as="irregular times",
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
        merged = len(positions) - len(first)
        notes.append(
            Note(
                f"{counted(merged, 'row')} between two steps: merged with the nearest",
                column=plain(name, 60),
                rows=merged,
            )
        )
    values = np.full((int(positions[-1]) + 1, series.values.shape[1]), np.nan)
    values[positions[first]] = means_of(series.values, first)
    if gaps.any():
        longest = int(jumps.argmax())
        steps = int((jumps[gaps] - 1).sum())
        notes.append(
            Note(
                f"{counted(int(gaps.sum()), 'gap')} in {plain(name, 60)} with "
                f"{counted(steps, 'step')} of {frequency.name} in all, filled ({fill}); the "
                f"longest, {counted(int(jumps[longest]) - 1, 'step')}, comes after "
                f"{frequency.text(int(times[longest]))}",
                column=plain(name, 60),
                read_as=f"filled ({fill})",
                rows=steps,
                change="task.fill",
            )
        )
    grid = frequency.along(int(times[0]), np.arange(len(values)))
    return replace(series, times=grid, values=values, notes=tuple(notes))


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
    values = np.stack([_filled(*pair, fill) for pair in columns], 1)
    return replace(series, values=values, filled=missing)


def _filled(values: Values, missing: Mask, fill: Fill) -> Values:
    known = np.flatnonzero(~missing)
    rows = np.arange(len(values))
    if fill == "linear":
        return np.interp(rows, known, values[known])
    # The last known row at or before each; before the first known one, that one.
    before = np.maximum(np.searchsorted(known, rows, side="right") - 1, 0)
    filled: Values = values[known[before]]
    return filled
