"""Categories as columns of numbers: one for each category, 1 where a row has it, else 0.

Columns such as these can be interpolated and averaged, which codes of categories cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.tables.categories import respelled
from engine.data.tables.values import texts
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

Indicators = NDArray[np.float64]

MOST_CATEGORIES = 50
"""The most frequent categories get a column each."""


def find_categories(column: pa.ChunkedArray, name: str) -> tuple[str, ...]:
    """Return the most frequent categories in order; the empty text stands for missing values.

    Raises :class:`DataError` for a column that holds no categories.
    """
    if pa.types.is_temporal(column.type) or pa.types.is_nested(column.type):
        raise DataError(
            f"The column {plain(name, 60)!r} holds {column.type}, neither numbers nor categories.",
            "Take it out of task.known_future.",
        )
    counts = pc.value_counts(category_texts(column)).to_pylist()
    frequent = sorted(counts, key=lambda count: (-count["counts"], count["values"]))
    return tuple(sorted(count["values"] for count in frequent[:MOST_CATEGORIES]))


def category_texts(column: pa.ChunkedArray) -> pa.Array:
    """The categories of all rows as texts; empty where a value is missing."""
    whole = texts(column).combine_chunks()
    return pc.fill_null(whole.cast(pa.string()), "")


def indicator_names(categories: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the names of the columns that stand for categories: ``weather = rain``."""
    return (f"{name} = {value}" for name, values in categories.items() for value in values)


def indicators(table: pa.Table, categories: Mapping[str, Sequence[str]]) -> Indicators:
    """``[rows, categories]``, 1 where a row has the category and 0 where it has another one.

    A missing value is NaN, unless it is a category of its own.
    """
    parts = [np.zeros((table.num_rows, 0))]
    for name, values in categories.items():
        places = _places(table[name], values)
        marks = (places[:, None] == np.arange(len(values))).astype(np.float64)
        if "" not in values:
            marks[_missing(table[name])] = np.nan
        parts.append(marks)
    return np.concatenate(parts, 1)


def _places(column: pa.ChunkedArray, values: Sequence[str]) -> NDArray[np.int64]:
    """The number of each row's category, -1 for one that is new or missing."""
    written = respelled(pa.chunked_array([category_texts(column)]), values)
    found = pc.index_in(written.combine_chunks(), value_set=pa.array(values, pa.string()))
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)


def _missing(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(category_texts(column), "").to_numpy(zero_copy_only=False))


def category_notes(table: pa.Table, categories: Mapping[str, Sequence[str]]) -> Iterator[Note]:
    """Yield notes on values that are none of the ``categories``."""
    for name, values in categories.items():
        other = _places(table[name], values) < 0
        if "" not in values:
            other &= ~_missing(table[name])
        if other.any():
            such = plain(str(table[name][int(other.argmax())].as_py()), 40)
            why = (
                f"{plain(name, 60)}: {counted(int(other.sum()), 'row')} with categories that have "
                f"no feature, such as {such!r}"
            )
            yield Note(why, plain(name, 60), rows=int(other.sum()))
