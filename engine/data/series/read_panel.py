"""From a table to several regular series: sorted, one row a step, without gaps.

Nothing here loops over rows or series; repairs are counted and reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.series.channel_values import channel_values
from engine.data.series.channels import Values, number_formats
from engine.data.series.frequency import Frequency, Times
from engine.data.series.panel import NAMELESS, Panel, Rows, key_name, key_texts, number_series
from engine.data.series.panel_grid import common_frequency, on_grid, without_holes
from engine.data.series.read import Fill, means_of, read_time_column
from engine.data.series.roles import Roles
from engine.data.series.static import keys_of_series
from engine.data.tables.schema import NumberFormat
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note


def read_panel(
    table: pa.Table,
    roles: Roles,
    fill: Fill = "linear",
    frequency: Frequency | None = None,
    spelling: str = "",
    formats: Mapping[str, NumberFormat] | None = None,
    part: NDArray[np.int8] | None = None,
) -> Panel:
    """Read the series that the columns ``roles.series`` tell apart.

    Each begins with its first known target and ends with its last. The frequency, the spelling of
    times and the ``formats`` of numbers are found if not given; ``part`` is a number for each row.
    Raises :class:`DataError` that names series and column.
    """
    if not table.num_rows:
        raise DataError("The data has no rows.")
    formats = number_formats(table, roles.numeric) if formats is None else formats
    values = channel_values(table, roles, formats)
    column = read_time_column(table, roles, frequency, spelling)
    codes, firsts = number_series(table, roles.series)
    keys = keys_of_series(table, roles.static, roles.series, codes, firsts)
    order = _in_order(codes, column.times)
    rows, lost = _with_targets(codes[order], column.times[order], values[order], roles, keys)
    lost += _nameless(codes, keys, roles)
    order = order[rows]
    numbers, codes = np.unique(codes[order], return_inverse=True)
    times, values = column.times[order], values[order]
    part = None if part is None else part[order]
    first, repeated = _each_time_once(codes, times, roles, keys.take(numbers))
    if repeated:
        codes, times, values = codes[first], times[first], means_of(values, first)
        part = None if part is None else part[first]
    starts = np.searchsorted(codes, np.arange(len(numbers) + 1)).astype(np.int64)
    if frequency is None:
        frequency = replace(common_frequency(times, starts, column.dated), zone=column.zone)
    panel = Panel(
        keys.take(numbers), starts, times, values, frequency, None, part,
        (*column.notes, *lost, *repeated), column.spelling, column.writing, formats,
    )  # fmt: skip
    return without_holes(on_grid(panel, roles, fill), roles, fill)


def _in_order(codes: Rows, times: Times) -> Rows:
    """The order of the rows by series and time."""
    steps = np.diff(codes)
    if ((steps > 0) | (steps == 0) & (np.diff(times) > 0)).all():
        return np.arange(len(codes))
    return np.lexsort((times, codes))


def _with_targets(
    codes: Rows, times: Times, values: Values, roles: Roles, keys: pa.Table
) -> tuple[Rows, list[Note]]:
    """Sorted rows from the time of each series' first known target to that of its last.

    With notes on the others.
    """
    known = np.flatnonzero(~np.isnan(values[:, : len(roles.targets)]).all(1))
    if not len(known):
        raise DataError(
            f"The column {plain(roles.targets[0], 60)!r} has no number in any row.",
            "Set task.targets to another column.",
        )
    series = np.arange(len(keys))
    begins = np.searchsorted(codes[known], series)
    ends = np.searchsorted(codes[known], series, side="right")
    empty = begins == ends
    first = times[known[np.minimum(begins, len(known) - 1)]]
    last = times[known[ends - 1]]
    kept = ~empty[codes] & (times >= first[codes]) & (times <= last[codes])
    outside = int((~kept & ~empty[codes]).sum())
    names = ", ".join(plain(name, 60) for name in roles.targets)
    notes = []
    if empty.any():
        why = (
            f"{counted(int(empty.sum()), 'series', 'series')} without any {names} left out, such "
            f"as {key_name(keys, int(empty.argmax()), roles.series)}"
        )
        notes.append(Note(why, names, rows=int(empty[codes].sum()), kind="lost"))
    if outside:
        why = f"{counted(outside, 'row')} before the first or after the last {names}: left out"
        notes.append(Note(why, names, rows=outside, kind="dropped"))
    return np.flatnonzero(kept), notes


def _nameless(codes: Rows, keys: pa.Table, roles: Roles) -> Iterator[Note]:
    """Notes on rows whose series has no value in a column that tells series apart."""
    for name, values in zip(roles.series, key_texts(keys, roles.series), strict=True):
        rows = int((np.array(values) == "")[codes].sum())
        if rows:
            shown = plain(name, 60)
            why = f"{counted(rows, 'row')} without {shown}: one value of it, {shown} = {NAMELESS}"
            yield Note(why, shown, rows=rows)


def _each_time_once(
    codes: Rows, times: Times, roles: Roles, keys: pa.Table
) -> tuple[Rows, list[Note]]:
    """The first of the sorted rows at each time of a series, and a note if there are others."""
    new = np.ones(len(codes), np.bool_)
    new[1:] = (np.diff(codes) > 0) | (np.diff(times) > 0)
    count = int((~new).sum())
    if not count:
        return np.arange(len(codes)), []
    where = key_name(keys, int(codes[(~new).argmax()]), roles.series)
    name = plain(roles.time, 60)
    why = (
        f"{counted(count, 'row')} with a time of {name} that occurs before in the same series "
        f"(first in {where}): the mean of each time is taken"
    )
    return np.flatnonzero(new), [Note(why, name, rows=count)]
