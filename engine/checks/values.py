"""Columns of a table as numbers or as codes, for the checks."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.tables.schema import Column
from engine.data.tables.values import dates, distinct_texts, numbers, texts

Floats = NDArray[np.float64]


def floats_of(table: pa.Table, column: Column) -> Floats:
    """Return the numbers or dates of a column; NaN where they are missing."""
    if column.type == "date":
        moments = dates(table[column.name], column.date_format, column.zone)
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))
    return numbers(table[column.name], column.number_format)


def target_numbers(table: pa.Table, target: str) -> Floats:
    """Return a target of numbers; NaN where it is missing."""
    return floats_of(table, Column(name=target, type="numeric"))


def categories_of(
    table: pa.Table, name: str, as_written: bool = False
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the different values of a column, and the number of each row's; -1 for missing."""
    return distinct_texts(texts(table[name], as_written))


def joint_codes(
    one: pa.Table, other: pa.Table, name: str, as_written: bool = False
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return the different values of a column in two tables, and the codes of both."""
    known, first = categories_of(one, name, as_written)
    more, second = categories_of(other, name, as_written)
    places = {value: code for code, value in enumerate(known)}
    for value in more:
        places.setdefault(value, len(places))
    mapped = np.array([*(places[value] for value in more), -1], np.int64)
    return list(places), first, mapped[second]
