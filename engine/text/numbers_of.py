"""A column of numbers beside texts, whose cells may be written as texts themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from engine.data.raw import TRAIN, RawData, class_names, decimal_mark_of
from engine.data.tables.other_marks import other_marks
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import number_format_of, numbers
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.columns import by_name, is_text


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


def with_named_numbers(raw: RawData, column: str) -> RawData:
    """Return the data with the names of classes as values, where numbers stand for names.

    A data set that was made of folders called ``20``, ``21`` … has 0, 1 … and these names.
    """
    names = class_names(raw.train, column)
    if not names:
        return raw
    splits = {}
    for split, table in raw.splits.items():
        if column in table.column_names:
            place = table.column_names.index(column)
            named = pa.array(
                [names[code] if code is not None and 0 <= code < len(names) else None
                 for code in table[column].to_pylist()], pa.string())  # fmt: skip
            table = table.set_column(place, column, named)
        splits[split] = table
    return raw.with_splits(splits)


def find_numbers(table: pa.Table, names: Sequence[str], taken: Sequence[str]) -> str:
    """Return the column of numbers: by its name, else the only one; raises :class:`DataError`."""
    rest = [name for name in table.column_names if name not in taken and name]
    found = [name for name in rest if _holds_numbers(table, name)]
    named = by_name(table.select(found), names)
    if named or len(found) == 1:
        return named or found[0]
    shown = ", ".join(plain(name, 40) for name in found or rest) or "none"
    if not found:
        raise DataError(f"No column holds numbers (there is {shown}).", "Set task.target.")
    raise DataError(f"Which column holds the numbers? It could be {shown}.", "Set task.target.")


def _holds_numbers(table: pa.Table, name: str) -> bool:
    """Return whether most of the first values of a column are numbers."""
    if pa.types.is_nested(table.schema.field(name).type):
        return False
    some = numbers_of(table.select([name]).slice(0, 200), name)
    return sum(value is not None for value in some) > len(some) / 2


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
