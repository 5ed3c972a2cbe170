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

    families: tuple[HourNames, ...]
    """Those of the value, or of each of several values, which have the same times."""
    dates: tuple[str, ...] = ()
    """The column of the day; empty where it is in several."""
    drawn: Drawn = ()
    """Columns that are sums or the like of the hours, and as what."""
    named: bool = False
    """Whether a single value has the beginning of its columns as its name."""

    def without_drawn(self, table: pa.Table, named: Collection[str]) -> HourColumns:
        """Return the same that leaves out sums and the like, except those that are ``named``."""
        left = {*self.columns, *named}
        others = [name for name in table.column_names if name not in left]
        drawn = (drawn_columns(table, own, others) for own in map(_usual, self.families))
        return replace(self, drawn=tuple(dict(pair for some in drawn for pair in some).items()))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that become rows."""
        return tuple(name for own in self.families for name in (*own.columns, *own.beyond))

    @property
    def values(self) -> tuple[str, ...]:
        """The column that each family becomes."""
        if len(self.families) == 1 and not self.named:
            return (VALUE,)
        return tuple(own.of for own in self.families)

    def notes(self, table: pa.Table) -> tuple[Note, ...]:
        """Return notes on how the training rows were read."""
        many, notes = table.num_rows, []
        for own, value in zip(self.families, self.values, strict=True):
            usual = _usual(own)
            first, step = plain(usual[0], 40), _STEPS.get(own.step, f"{own.step} minutes")
            edge = "ends at" if own.ends else "begins at"
            clock = _clock(own.step if own.ends else 0)
            empty = cell_values(table, usual).null_count
            shown = f" of {plain(value, 40)}" if len(self.families) > 1 else ""
            why = (
                f"{counted(len(usual), 'column')} from {first} to {plain(usual[-1], 40)} are the "
                f"times of a day{shown}, {first} the {step} that {edge} {clock}: "
                f"{counted(many, 'row')} of a day are {counted(len(usual) * many, 'row')}, "
                f"{empty:,} of them empty"
            )
            notes.append(Note(why, value, "series", many, kind="converted"))
            notes += _second(own, table)
        return (*notes, *drawn_notes(self.drawn, "day", many))

    def rows(self, table: pa.Table) -> pa.Table:
        """Return a row for each hour. Raises :class:`DataError` for a cell that is not read."""
        for own in self.families:
            _check_beyond(table, own.beyond)
        for name in self.dates:
            _check_date(table, name)
        first, there = self.families[0], {*table.column_names}
        places = [
            n for n in range(len(first.columns))
            if all(own.columns[n] in there for own in self.families)
        ]  # fmt: skip
        left = {*self.columns, *(name for name, _ in self.drawn)}
        count, steps = table.num_rows, len(places)
        owner = np.repeat(np.arange(count), steps)
        place = np.tile(np.arange(steps), count)
        values = [cell_values(table, [own.columns[n] for n in places]) for own in self.families]
        second = np.isin([first.columns[n] for n in places], first.again)
        present = np.any([np.asarray(pc.is_valid(cells)) for cells in values], 0)
        kept = ~second[place] | present
        minutes = np.array([first.minutes[n] for n in places])[place[kept]]
        taken = pa.array(owner[kept])
        columns = {n: table[n].take(taken) for n in table.column_names if n not in left}
        columns[HOUR] = pa.array(minutes // 60)
        if first.step < 60:
            columns[MINUTE] = pa.array(minutes % 60)
        cells = (each.filter(pa.array(kept)) for each in values)
        columns |= dict(zip(self.values, cells, strict=True))
        return pa.table(columns).replace_schema_metadata(table.schema.metadata)


def _usual(own: HourNames) -> list[str]:
    """Return the columns of a day without those of an hour that comes twice."""
    return [name for name in own.columns if name not in own.again]


def _second(own: HourNames, table: pa.Table) -> Iterator[Note]:
    """Yield notes on the columns of hours that come twice when clocks are set back."""
    for name in own.again:
        shown, rows = plain(name, 40), table.num_rows - cell_values(table, [name]).null_count
        clock = _clock(own.minutes[own.columns.index(name)])
        why = f"{shown} is the second time from {clock} on, with a value in {counted(rows, 'row')}"
        yield Note(why, shown, "series", rows, kind="converted")
    if own.beyond:
        shown = ", ".join(plain(name, 40) for name in own.beyond)
        why = f"columns behind those of a day that are empty: {shown}"
        yield Note(why, shown, "not used", 0, kind="dropped")


def hour_columns(table: pa.Table, time: str = "") -> HourColumns | Unclear | None:
    """Return the columns that are hours of the day of their row; ``None`` for other tables.

    ``time`` is the column of dates, where it is set.
    """
    named = [field.name for field in table.schema if may_be_values(field.type)]
    found = find_hour_names([name for name in named if name != time])
    if found is None or isinstance(found, Unclear):
        return found
    form = HourColumns(found)
    if texts := [name for name in form.columns if holds_texts(table[name])]:
        return Unclear(f"{plain(texts[0], 40)} holds texts", form.columns)
    others = [name for name in table.column_names if name not in form.columns]
    made = {HOUR, MINUTE, *(name.lower() for name in form.values)}
    if clash := [name for name in others if name.strip().lower() in made]:
        return Unclear(f"there is a column {plain(clash[0], 40)!r} too", form.columns)
    dates = (time,) if time in others else _dates(table, others)
    if len(dates) > 1:
        shown = " and ".join(plain(name, 40) for name in dates[:2])
        why = f"{shown} both have dates, of which task.time says that of the day"
        return Unclear(why, form.columns)
    if not dates and not day_parts(others):
        return Unclear("no column has dates", form.columns)
    if clocks := [name for name in dates if _has_hours(table[name])]:
        return Unclear(f"{plain(clocks[0], 40)} has times of day itself", form.columns)
    return replace(form, dates=dates)


def _dates(table: pa.Table, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of dates; beside a year, a month and a day only the first."""
    dates = tuple(name for name in names if is_date_column(name, table[name]))
    return dates[:1] if day_parts(names) else dates


def _has_hours(column: pa.ChunkedArray) -> bool:
    """Return whether dates have hours of their own, other than midnight or another one for all."""
    if is_text(column.type):
        found = pc.extract_regex(column, r"\d\D+(?P<clock>\d{1,2}:\d{2})")
        return len(pc.unique(pc.struct_field(found, [0])).drop_null()) > 1
    if not pa.types.is_timestamp(column.type):
        return False
    return len(pc.unique(pc.hour(column)).drop_null()) > 2  # of midnights in UTC, there are two


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
