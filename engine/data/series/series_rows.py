"""Tables with a series a row, as a row a step."""

from __future__ import annotations

import pyarrow as pa

from engine.data.raw import RawData
from engine.data.series.listed_series import TIME, ListedSeries, listed_series
from engine.data.series.step_columns import StepColumns, step_columns


def with_a_row_a_step(raw: RawData) -> RawData:
    """Return the data with a row a step and the columns ``time`` and ``value``, and a note.

    Tables of any other form stay as they are. Raises :class:`~engine.errors.DataError` for lists
    that do not fit together.
    """
    form = _form_of(raw.train)
    if form is None:
        return raw
    splits = {split: form.rows(table) for split, table in raw.splits.items()}
    return raw.with_splits(splits, form.note(raw.train))


def arranged(table: pa.Table) -> pa.Table:
    """Return a file to predict from with a row a step, as :func:`with_a_row_a_step`."""
    form = _form_of(table)
    return table if form is None else form.rows(table)


def _form_of(table: pa.Table) -> ListedSeries | StepColumns | None:
    if table.num_rows and TIME not in table.column_names:
        return listed_series(table) or step_columns(table)
    return None
