"""Tables with a series, a day or a year a row, as a row a step."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa

from engine.data.raw import RawData
from engine.data.series.hour_columns import HourColumns, hour_columns
from engine.data.series.hour_names import Unclear
from engine.data.series.listed_series import TIME, ListedSeries, listed_series
from engine.data.series.step_columns import StepColumns, step_columns
from engine.data.series.year_columns import YearColumns, year_columns
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_COLUMNS = "columns"
_Form = ListedSeries | StepColumns | HourColumns | YearColumns


def with_a_row_a_step(raw: RawData, named: Collection[str] = (), time: str = "") -> RawData:
    """Return the data with a row a step and its time and ``value`` in columns, and notes.

    Tables of any other form stay as they are, and so do those of which a column that would become
    rows is ``named`` in the settings. ``time`` is the column of times that is set. Raises
    :class:`~engine.errors.DataError` for cells that cannot be read.
    """
    form = _form_of(raw.train, time)
    if form is None or {*form.columns} & {*named}:
        return raw
    if isinstance(form, Unclear):
        return replace(raw, notes=(*raw.notes, _note_of(form)))
    if not isinstance(form, ListedSeries):
        form = form.without_drawn(raw.train, named)
    splits = {split: form.rows(table) for split, table in raw.splits.items()}
    return raw.with_splits(splits, *form.notes(raw.train))


def file_with_a_row_a_step(table: pa.Table, names: Collection[str], time: str = "") -> pa.Table:
    """Return a file to predict from with a row a step, as :func:`with_a_row_a_step`.

    A file that has all columns ``names`` which were trained on stays as it is.
    """
    if {*names} <= {*table.column_names}:
        return table
    form = _form_of(table, time)
    if isinstance(form, HourColumns):
        form = replace(form, named={own.of for own in form.families} <= {*names})
    return table if form is None or isinstance(form, Unclear) else form.rows(table)


@contextmanager
def doubts_beside(notes: Sequence[Note]) -> Iterator[None]:
    """Add to an error in the data that columns may be hours: too few rows follow from it."""
    try:
        yield
    except DataError as error:
        doubts = [f"{note.why}." for note in notes if note.read_as == _COLUMNS]
        if not doubts:
            raise
        raise DataError(error.message, " ".join([error.hint, *doubts]).strip()) from error


def _form_of(table: pa.Table, time: str) -> _Form | Unclear | None:
    if not table.num_rows:
        return None
    hours = hour_columns(table, time)
    if hours is not None and not isinstance(hours, Unclear):
        return hours
    if TIME in table.column_names:
        return hours
    return listed_series(table) or year_columns(table) or step_columns(table) or hours


def _note_of(unclear: Unclear) -> Note:
    first, last = plain(unclear.columns[0], 40), plain(unclear.columns[-1], 40)
    why = (
        f"{counted(len(unclear.columns), 'column')} from {first} to {last} may be hours of the "
        f"day of a row, but {unclear.why}; they stay columns"
    )
    return Note(why, first, _COLUMNS)
