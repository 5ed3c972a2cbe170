"""Tables with a day a row and a column for each hour of it, as meters write them, as a row an hour.

The columns ``hour`` and, for shorter steps, ``minute`` are put beside the date, which stays as it
is written. An hour that comes twice has two rows, and one that is missing an empty value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.data.series.cells import (
    Drawn,
    cell_values,
    drawn_columns,
    drawn_notes,
    holds_texts,
    may_be_values,
)
from engine.data.series.channels import is_text
from engine.data.series.hour_names import HourNames, Unclear, find_hour_names
from engine.data.series.listed_series import VALUE
from engine.data.series.time_parts import day_parts
from engine.data.series.times import is_date_column
from engine.data.tables.values import tidy
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

HOUR, MINUTE = "hour", "minute"
_STEPS = {60: "hour", 30: "half hour", 15: "quarter of an hour"}


@dataclass(frozen=True, slots=True)
class HourColumns:
    """The columns of a table that are hours of the day of its row."""

    names: HourNames
    dates: tuple[str, ...] = ()
    """The column of the day; empty where it is in several."""
    drawn: Drawn = ()
    """Columns that are sums or the like of the hours, and as what."""

    def without_drawn(self, table: pa.Table, named: Collection[str]) -> HourColumns:
        """Return the same that leaves out sums and the like, except those that are ``named``."""
        own = [name for name in self.names.columns if name not in self.names.again]
        left = {*self.columns, *named}
        others = [name for name in table.column_names if name not in left]
        return replace(self, drawn=drawn_columns(table, own, others))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that become rows."""
        return (*self.names.columns, *self.names.beyond)

    def notes(self, table: pa.Table) -> tuple[Note, ...]:
        """Return notes on how the training rows were read."""
        own, many = self.names, table.num_rows
        usual = [name for name in own.columns if name not in own.again]
        first, step = plain(usual[0], 40), _STEPS.get(own.step, f"{own.step} minutes")
        edge = "ends at" if own.ends else "begins at"
        clock = _clock(own.step if own.ends else 0)
        empty = cell_values(table, usual).null_count
        why = (
            f"{counted(len(usual), 'column')} from {first} to {plain(usual[-1], 40)} are the times "
            f"of a day, {first} the {step} that {edge} {clock}: {counted(many, 'row')} of a day "
            f"are {counted(len(usual) * many, 'row')}, {empty:,} of them empty"
        )
        notes = [Note(why, VALUE, "series", many, kind="converted"), *self._second(table)]
        return (*notes, *drawn_notes(self.drawn, "day", many))

    def _second(self, table: pa.Table) -> Iterator[Note]:
        """Yield notes on the columns of hours that come twice when clocks are set back."""
        for name in self.names.again:
            shown, rows = plain(name, 40), table.num_rows - cell_values(table, [name]).null_count
            clock = _clock(self.names.minutes[self.names.columns.index(name)])
            why = f"{shown} is the second time from {clock} on, with a value in "
            why += counted(rows, "row")
            yield Note(why, shown, "series", rows, kind="converted")
        if beyond := self.names.beyond:
            shown = ", ".join(plain(name, 40) for name in beyond)
            why = f"columns behind those of a day that are empty: {shown}"
            yield Note(why, shown, "not used", 0, kind="dropped")

    def rows(self, table: pa.Table) -> pa.Table:
        """Return a row for each hour. Raises :class:`DataError` for a cell that is not read."""
        _check_beyond(table, self.names.beyond)
        for name in self.dates:
            _check_date(table, name)
        places = [n for n, name in enumerate(self.names.columns) if name in table.column_names]
        names = [self.names.columns[n] for n in places]
        left = {*self.columns, *(name for name, _ in self.drawn)}
        count, steps = table.num_rows, len(names)
        owner = np.repeat(np.arange(count), steps)
        place = np.tile(np.arange(steps), count)
        values = cell_values(table, names)
        second = np.isin(names, self.names.again)
        kept = ~second[place] | np.asarray(pc.is_valid(values))
        minutes = np.array([self.names.minutes[n] for n in places])[place[kept]]
        taken = pa.array(owner[kept])
        columns = {n: table[n].take(taken) for n in table.column_names if n not in left}
        columns[HOUR] = pa.array(minutes // 60)
        if self.names.step < 60:
            columns[MINUTE] = pa.array(minutes % 60)
        columns[VALUE] = values.filter(pa.array(kept))
        return pa.table(columns).replace_schema_metadata(table.schema.metadata)


def hour_columns(table: pa.Table, time: str = "") -> HourColumns | Unclear | None:
    """Return the columns that are hours of the day of their row; ``None`` for other tables.

    ``time`` is the column of dates, where it is set.
    """
    named = [field.name for field in table.schema if may_be_values(field.type)]
    found = find_hour_names([name for name in named if name != time])
    if found is None or isinstance(found, Unclear):
        return found
    if texts := [name for name in found.columns if holds_texts(table[name])]:
        return Unclear(f"{plain(texts[0], 40)} holds texts", found.columns)
    others = [name for name in table.column_names if name not in {*found.columns, *found.beyond}]
    if clash := [name for name in others if name.strip().lower() in (HOUR, MINUTE, VALUE)]:
        return Unclear(f"there is a column {plain(clash[0], 40)!r} too", found.columns)
    dates = (time,) if time in others else _dates(table, others)
    if len(dates) > 1:
        shown = " and ".join(plain(name, 40) for name in dates[:2])
        why = f"{shown} both have dates, of which task.time says that of the day"
        return Unclear(why, found.columns)
    if not dates and not day_parts(others):
        return Unclear("no column has dates", found.columns)
    return HourColumns(found, dates)


def _dates(table: pa.Table, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of dates; beside a year, a month and a day only the first."""
    dates = tuple(name for name in names if is_date_column(name, table[name]))
    return dates[:1] if day_parts(names) else dates


def _check_date(table: pa.Table, name: str) -> None:
    """Refuse a row without a date, such as one of sums, by its number in the file."""
    column = table[name]
    wrong = column.is_null()
    if is_text(column.type):
        wrong = pc.if_else(wrong, True, pc.invert(pc.match_substring_regex(column, r"\d")))
    if pc.any(wrong).as_py():
        row = wrong.to_numpy().argmax()
        text = repr(plain(str(column[row]), 60)) if column[row].is_valid else "nothing"
        raise DataError(
            f"The time column {plain(name, 60)!r} holds {text} in row {row + 1:,}, which is not a "
            "date.",
            "Correct or remove the row, or set task.time to another column.",
        )


def _check_beyond(table: pa.Table, names: Sequence[str]) -> None:
    """Refuse values of a 25th hour: it is not said which hour came twice."""
    for name in names:
        if (
            name in table.column_names
            and (rows := np.flatnonzero(tidy(table[name]).is_valid())).size
        ):
            raise DataError(
                f"The column {plain(name, 40)!r} is behind those of a day and has values in "
                f"{counted(len(rows), 'row')} (the first is row {rows[0] + 1:,}): clocks were set "
                "back there, and no name says which hour came twice.",
                "Put the second of that hour into a column of its own, such as h3b, with the hours "
                f"behind it in theirs; or leave it out: data.columns.{plain(name, 40)}=ignored.",
            )


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
