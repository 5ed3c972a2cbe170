"""Splits by time: training rows are from before those of validation, and these from before test."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.data.columns import ColumnSetting
from engine.data.column_names import no_column
from engine.data.on_disk import evenly, selected
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, Skip
from engine.data.tables.columns import detect_columns
from engine.data.tables.schema import Column
from engine.data.tables.values import dates, numbers
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_LEARNED_ROWS = 1_000_000
"""Maximum number of rows, evenly spread, from which the column's type is detected."""

Times = NDArray[np.float64]


@dataclass(frozen=True)
class _Clock:
    """A column of times, read in all splits as in the training rows."""

    column: Column
    dated: bool

    def read(self, table: pa.Table) -> Times:
        """Return seconds or numbers, NaN where there is none."""
        values = table[self.column.name]
        if not self.dated:
            return numbers(values, self.column.number_format)
        moments = dates(values, self.column.date_format, self.column.zone)
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))

    def text(self, time: float) -> str:
        """Return a time for people."""
        if not self.dated:
            return f"{time:.10g}"
        return str(np.datetime64(int(time), "s")).removesuffix("T00:00:00").replace("T", " ")


def cut_by_time(
    raw: RawData, name: str, wanted: Mapping[str, float], setting: ColumnSetting | None
) -> RawData:
    """``raw`` with the ``wanted`` splits cut from the end of the training rows, test the last.

    Rows of the same time stay together; those without a time are left out. Raises
    :class:`DataError` where a split has no row.
    """
    for split, table in raw.splits.items():
        if name not in table.column_names:
            where = "" if split == TRAIN else f"{split}: "
            raise DataError(where + no_column("data.time", name, table.column_names))
    clock = _clock_of(raw.train, name, setting)
    raw, times = _with_times(raw, clock)
    own = times[TRAIN]
    last = np.inf
    splits, notes, ordered = dict(raw.splits), [], np.sort(own)
    cut = [split for split in (TEST, VALIDATION) if wanted.get(split)]
    for number, split in enumerate(cut):
        end, parts = int(np.searchsorted(ordered, last)), len(cut) - number
        begin = _border(ordered[:end], wanted[split] * len(ordered), parts, clock, split)
        mine = (own >= begin) & (own < last)
        splits[split], times[split], last = selected(raw.train, mine), own[mine], begin
        why = f"{counted(int(mine.sum()), 'row')} from {clock.text(begin)} on set aside for {split}"
        change = f"data.{split}_fraction"
        notes.append(Note(why, plain(name, 60), split, int(mine.sum()), change, "converted"))
    splits[TRAIN], times[TRAIN] = selected(raw.train, own < last), own[own < last]
    notes += _overlaps(times, clock.column.name)
    return raw.with_splits(splits, *notes)


def _clock_of(table: pa.Table, name: str, setting: ColumnSetting | None) -> _Clock:
    """Find out how a column tells time. Raises :class:`DataError` for one that does not."""
    settings = {} if setting is None else {name: setting}
    [column] = detect_columns(evenly(table.select([name]), _LEARNED_ROWS), settings)
    if column.type not in ("date", "numeric"):
        reason = f" ({column.reason})" if column.reason else ""
        raise DataError(
            f"data.time: {plain(name, 60)} has neither dates nor numbers{reason}.",
            f"Choose another column, or set its format: data.columns.{plain(name, 40)}="
            '"date %d/%m/%Y".',
        )
    return _Clock(column, column.type == "date")


def _with_times(raw: RawData, clock: _Clock) -> tuple[RawData, dict[str, Times]]:
    """Leave out the rows without a time."""
    splits, skips, times = dict(raw.splits), [], {}
    for split, table in raw.splits.items():
        read = clock.read(table)
        known = ~np.isnan(read)
        times[split] = read[known]
        if not known.any():
            raise DataError(f"No row of {split} has a {plain(clock.column.name, 60)}.")
        if not known.all():
            first = f"row {int(known.argmin()) + 1:,} of {split}"
            reason = f"no usable {plain(clock.column.name, 60)}"
            skips.append(Skip(reason, int((~known).sum()), first))
            splits[split] = selected(table, known)
    return raw.with_splits(splits).with_skips(*skips) if skips else raw, times


def _border(ordered: Times, rows: float, parts: int, clock: _Clock, split: str) -> float:
    """Return the first time of a split of about ``rows`` at the end; equal times stay together.

    Each of the ``parts`` before it has a time of its own.
    """
    at = max(0, len(ordered) - max(1, round(rows)))
    firsts = np.unique(ordered, return_index=True)[1][parts:]
    if not len(firsts):
        raise DataError(
            f"data.time: the rows of {plain(clock.column.name, 60)} have too few different times "
            f"to set some aside for {split}.",
            "Choose another column, or set a fraction to 0.",
        )
    return float(ordered[firsts[np.abs(firsts - at).argmin()]])


def _overlaps(times: Mapping[str, Times], column: str) -> list[Note]:
    """Return doubts on earlier splits that reach into later ones, as those of a source may."""
    notes = []
    order = [split for split in (TRAIN, VALIDATION, TEST) if split in times]
    for earlier, later in itertools.pairwise(order):
        late = int((times[earlier] >= times[later].min()).sum())
        if late:
            why = f"{counted(late, 'row')} of {earlier} not before the first of {later}"
            notes.append(Note(why, plain(column, 60), "time", late, "data.time"))
    return notes
