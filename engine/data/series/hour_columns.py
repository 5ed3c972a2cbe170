"""Tables with a day a row and a column for each hour of it, as meters write them, as a row an hour.

The columns ``hour`` and, for shorter steps, ``minute`` are put beside the date, which stays as it
is written. An hour that comes twice has two rows, and one that is missing an empty value.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.raw import decimal_mark_of
from engine.data.series.channels import Values, first_text, has_numbers, is_number, is_text
from engine.data.series.hour_names import HourNames, Unclear, find_hour_names
from engine.data.series.listed_series import VALUE
from engine.data.series.time_parts import day_parts
from engine.data.series.times import find_time_column, is_date_column
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import number_format_of, numbers, tidy
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

HOUR, MINUTE = "hour", "minute"
_STEPS = {60: "hour", 30: "half hour", 15: "quarter of an hour"}
_NEARLY = 0.9
"""Share of rows in which a column of a day is the sum, or the like, of its hours."""
_OF_A_DAY: dict[str, Callable[[Values, int], Values]] = {
    "sum": np.nansum, "mean": np.nanmean, "maximum": np.nanmax, "minimum": np.nanmin,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HourColumns:
    """The columns of a table that are hours of the day of its row."""

    names: HourNames
    dates: tuple[str, ...] = ()
    """The column of the day; empty where it is in several."""
    drawn: tuple[tuple[str, str], ...] = ()
    """Columns that are drawn from those of the hours, and as what, such as their sum."""

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
        empty = _values(table, usual).null_count
        why = (
            f"{counted(len(usual), 'column')} from {first} to {plain(usual[-1], 40)} are the times "
            f"of a day, {first} the {step} that {edge} {clock}: {counted(many, 'row')} of a day "
            f"are {counted(len(usual) * many, 'row')}, {empty:,} of them empty"
        )
        notes = [Note(why, VALUE, "series", many, kind="converted"), *self._second(table)]
        for name, what in self.drawn:
            why = f"{plain(name, 40)} is the {what} of the columns of the day: not used"
            notes.append(Note(why, plain(name, 40), "not used", many, kind="dropped"))
        return tuple(notes)

    def _second(self, table: pa.Table) -> Iterator[Note]:
        """Yield notes on the columns of hours that come twice when clocks are set back."""
        for name in self.names.again:
            shown, rows = plain(name, 40), table.num_rows - _values(table, [name]).null_count
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
        values = _values(table, names)
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
    named = [field.name for field in table.schema if _may_be_values(field.type)]
    found = find_hour_names([name for name in named if name != time])
    if found is None or isinstance(found, Unclear):
        return found
    if texts := [name for name in found.columns if _holds_texts(table[name])]:
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


def with_drawn(form: HourColumns, table: pa.Table, named: Collection[str] = ()) -> HourColumns:
    """Return the same with the columns of training rows that are sums or the like of the hours.

    Those that are ``named`` in the settings are not among them.
    """
    names = [name for name in form.names.columns if name not in form.names.again]
    if not all(is_number(table.schema.field(name).type) for name in names):
        return form
    hours = np.stack([_floats(table[name]) for name in names], 1)
    known = np.asarray(~np.isnan(hours).all(1), np.bool_)
    left = {*form.columns, *named}
    others = [f.name for f in table.schema if f.name not in left and is_number(f.type)]
    drawn = [
        (name, what) for name in others if (what := _drawn(_floats(table[name]), hours, known))
    ]
    return replace(form, drawn=tuple(drawn))


def _drawn(values: Values, hours: Values, known: NDArray[np.bool_]) -> str:
    """Return what a column of days is of the hours; empty where it is something else."""
    if known.sum() < 2 or np.ptp(values[known]) == 0:
        return ""
    for what, of in _OF_A_DAY.items():
        if np.isclose(values[known], of(hours[known], 1), 1e-3, 1e-9).mean() >= _NEARLY:
            return what
    return ""


def _dates(table: pa.Table, names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of dates, or else one that is named like one."""
    dates = tuple(name for name in names if is_date_column(name, table[name]))
    if dates or day_parts(names):
        return dates[:1] if day_parts(names) else dates
    named = find_time_column(table.select(list(names)))
    return (named,) if named else ()


def _may_be_values(kind: pa.DataType) -> bool:
    return is_number(kind) or is_text(kind) or bool(pa.types.is_null(kind))


def _holds_texts(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds texts, rather than numbers with a few mistakes."""
    if not is_text(column.type) or not tidy(column).is_valid().to_numpy().any():
        return False
    return not has_numbers(column) and first_text(column) is None


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
        if name in table.column_names and (rows := np.flatnonzero(table[name].is_valid())).size:
            raise DataError(
                f"The column {plain(name, 40)!r} is behind those of a day and has values in "
                f"{counted(len(rows), 'row')} (the first is row {rows[0] + 1:,}): clocks were set "
                "back there, and no name says which hour came twice.",
                "Put the second of that hour into a column of its own, such as h3b, with the hours "
                f"behind it in theirs; or leave it out: data.columns.{plain(name, 40)}=ignored.",
            )


def _values(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return the cells row by row: numbers, or texts where some columns have texts.

    Raises :class:`DataError` for a text that is not a number.
    """
    texts = any(is_text(table.schema.field(name).type) for name in names)
    if not texts:
        values = np.stack([_floats(table[name]) for name in names], 1)
        return pa.array(values.reshape(-1), from_pandas=True)
    mark = decimal_mark_of(table)
    columns = [_texts(table[name], mark) for name in names]
    cells = pa.concat_arrays(columns).take(
        pa.array(np.arange(len(names) * table.num_rows).reshape(len(names), -1).T.reshape(-1))
    )
    column = tidy(pa.chunked_array([cells]))
    written = number_format_of(column, mark)
    wrong = np.isnan(numbers(column, written)) & np.asarray(column.is_valid())
    if wrong.any():
        row, place = divmod(int(wrong.argmax()), len(names))
        like = f" such as {written.example}" if written != NumberFormat() else ""
        text = plain(str(column[int(wrong.argmax())]), 40)
        raise DataError(
            f"The column {plain(names[place], 60)!r} holds {text!r} in row {row + 1:,}, which is "
            f"not a number{like}.",
            "Correct the row, or leave its value empty.",
        )
    return column.combine_chunks()


def _texts(column: pa.ChunkedArray, mark: str) -> pa.Array:
    """Return cells as texts with the decimal mark of their file."""
    texts = column.combine_chunks().cast(pa.string())
    plain_numbers = is_number(column.type) and mark == ","
    return pc.replace_substring(texts, ".", ",") if plain_numbers else texts


def _floats(column: pa.ChunkedArray) -> Values:
    whole = column.combine_chunks().cast(pa.float64(), safe=False)
    return np.asarray(whole.to_numpy(zero_copy_only=False), np.float64)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
