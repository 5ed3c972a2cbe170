"""A column of numbers beside texts, whose cells may be written as texts themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from engine.data.raw import TRAIN, RawData, decimal_mark_of
from engine.data.tables.other_marks import other_marks
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import number_format_of, numbers
from engine.reports.note import Note
from engine.text.columns import is_text


def numbers_of(table: pa.Table, column: str) -> list[float | None]:
    """Return the numbers of a column; none where a cell holds no finite number."""
    values = numbers(table[column], _format_of(table, column))
    return [value if math.isfinite(value) else None for value in values.tolist()]


def with_numbers(raw: RawData, column: str) -> RawData:
    """Return the data with numbers that are written as texts in one format for all splits.

    It is that of the training rows: in a few rows, ``4.500`` alone would be 4.5 whatever they mean.
    """
    if not is_text(raw.train, column):
        return raw
    written = _format_of(raw.train, column)
    splits, notes = dict(raw.splits), list[Note]()
    for split, table in raw.splits.items():
        if column in table.column_names and is_text(table, column):
            splits[split], found = _converted(table, column, written, split)
            notes += found
    return replace(raw, splits=splits, notes=(*raw.notes, *notes))


def _converted(
    table: pa.Table, column: str, written: NumberFormat, split: str
) -> tuple[pa.Table, Sequence[Note]]:
    """Return a split with its numbers, and a note where they may be meant otherwise."""
    values, own = numbers(table[column], written), numbers(table[column], _format_of(table, column))
    notes: Sequence[Note] = ()
    if np.isfinite(own).sum() > np.isfinite(values).sum():
        values = own  # of a file with other marks
    elif split != TRAIN:
        notes = other_marks(table, column, written, split)
    numbered = pa.array([value if math.isfinite(value) else None for value in values.tolist()])
    place = table.column_names.index(column)
    return table.set_column(place, column, numbered.cast(pa.float64())), notes


def _format_of(table: pa.Table, column: str) -> NumberFormat:
    return number_format_of(table[column], decimal_mark_of(table))
