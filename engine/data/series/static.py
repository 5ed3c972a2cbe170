"""Columns that are the same in all rows of a series: numbers and categories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from engine.data.series.channels import is_number, is_text
from engine.data.series.indicators import find_categories, indicators
from engine.data.series.panel import Rows, key_name
from engine.data.tables.values import numbers, texts
from engine.errors import DataError
from engine.files.sanitize import plain


class StaticColumn(BaseModel):
    """A static column as features: a number, or one feature for each category."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    categories: tuple[str, ...] = ()
    """Empty for a column of numbers."""
    mean: float = 0.0
    std: float = 1.0

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.categories) or 1


def find_static(
    table: pa.Table, names: Iterable[str], codes: Rows, firsts: Rows
) -> tuple[str, ...]:
    """Return which columns have one value in each series, and several in all.

    A column of categories that are nearly all different has no more information than the names.
    """
    return tuple(name for name in names if _is_static(table[name], codes, firsts))


def _is_static(column: pa.ChunkedArray, codes: Rows, firsts: Rows) -> bool:
    column = _decoded(column)
    if not (is_number(column.type) or is_text(column.type)):
        return False
    numbered = _numbered(column)
    if not (numbered == numbered[firsts][codes]).all():
        return False
    different = len(np.unique(numbered[firsts]))
    return different > 1 and (is_number(column.type) or 2 * different <= len(firsts))


def _numbered(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each different value; a missing one is a value too."""
    encoded = _decoded(column).combine_chunks().dictionary_encode("encode")
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    coded = pa.types.is_dictionary(column.type)
    return column.cast(column.type.value_type) if coded else column


def keys_of_series(
    table: pa.Table, names: Sequence[str], series: Sequence[str], codes: Rows, firsts: Rows
) -> pa.Table:
    """Return the columns ``series`` and the static ones, one row a series.

    A missing value is none: rows of the future need not repeat it. Raises :class:`DataError` for a
    static column with several values in a series.
    """
    keys = table.select(list(series)).take(firsts)
    for name in names:
        present = np.asarray(texts(table[name], as_written=True).is_valid())
        own = _first_of_each(present, codes, firsts)
        _check_same(table, name, series, own[codes], present)
        keys = keys.append_column(table.schema.field(name), table[name].take(own))
    return keys


def _first_of_each(present: NDArray[np.bool_], codes: Rows, firsts: Rows) -> Rows:
    """The first row of each series with a value; the first of all where none has one."""
    rows, own = np.flatnonzero(present)[::-1], firsts.copy()
    own[codes[rows]] = rows
    return own


def _check_same(
    table: pa.Table, name: str, series: Sequence[str], own: Rows, present: NDArray[np.bool_]
) -> None:
    """Raise :class:`DataError` for a value that is not that of the row in ``own``."""
    numbered = _numbered(table[name])
    other = (numbered != numbered[own]) & present
    if other.any():
        row = int(other.argmax())
        first, second = (plain(str(table[name][i].as_py()), 40) for i in (int(own[row]), row))
        raise DataError(
            f"The static column {plain(name, 60)!r} has several values in the series "
            f"{key_name(table, row, series)}: {first}, and {second} in row {row + 1:,}.",
            "Take it out of task.static, or give the series one value.",
        )


def fit_static(
    keys: pa.Table, names: Sequence[str], categorical: Collection[str]
) -> list[StaticColumn]:
    """Fit on the series of the training rows, one row each."""
    return [_fitted(keys[name], name, name in categorical) for name in names]


def _fitted(column: pa.ChunkedArray, name: str, categorical: bool) -> StaticColumn:
    column = _decoded(column)
    if is_number(column.type) and not categorical:
        values = numbers(column)
        known = values[np.isfinite(values)]
        std = float(known.std()) if len(known) else 0.0
        mean = float(known.mean()) if len(known) else 0.0
        return StaticColumn(name=name, mean=mean, std=std if std > 1e-12 * abs(mean) else 1.0)
    return StaticColumn(name=name, categories=find_categories(column, name))


def unknown_static(
    keys: pa.Table, columns: Sequence[StaticColumn]
) -> Iterator[tuple[StaticColumn, NDArray[np.bool_]]]:
    """Yield each column with the series, ``[series]``, that have no value of its kind."""
    for column in columns:
        if not column.categories:
            yield column, ~np.isfinite(numbers(keys[column.name]))
        elif "" not in column.categories:
            yield column, np.asarray(pc.is_null(texts(keys[column.name])))


def static_values(keys: pa.Table, columns: Sequence[StaticColumn]) -> NDArray[np.float32]:
    """Features of each series, ``[series, features]``; what is missing or new is 0."""
    parts = [np.zeros((keys.num_rows, 0))]
    for column in columns:
        if column.categories:
            values = indicators(keys, {column.name: column.categories})
        else:
            values = ((numbers(keys[column.name]) - column.mean) / column.std)[:, None]
        parts.append(values)
    whole = np.concatenate(parts, 1)
    return np.where(np.isfinite(whole), whole, 0.0).astype(np.float32)
