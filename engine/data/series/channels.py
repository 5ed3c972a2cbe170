"""Columns of numbers of a series: of a type of numbers, or texts such as ``1,006.60``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.tables.values import numbers
from engine.errors import DataError
from engine.files.sanitize import plain

Values = NDArray[np.float64]


def is_number(type: pa.DataType) -> bool:
    """Whether a type is one of numbers."""
    kinds = (pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_boolean)
    return any(kind(type) for kind in kinds)


def has_numbers(column: pa.ChunkedArray) -> bool:
    """Whether all values of a column that are not missing are numbers."""
    if column.null_count == len(column):
        return False
    if is_number(column.type):
        return True
    text = pt.is_string(column.type) or pt.is_large_string(column.type)
    return text and not (_of_texts(column.slice(0, 200))[1].any() or _of_texts(column)[1].any())


def read_channels(table: pa.Table, names: Sequence[str]) -> Values:
    """``[rows, columns]`` with NaN for what is missing or infinite.

    Raises :class:`DataError` for a column without numbers, and for a value that is none.
    """
    columns = []
    for name in names:
        values = _of_column(table, name)
        known = np.isfinite(values)
        if not known.any():
            raise DataError(f"The column {plain(name, 60)!r} holds no numbers.", "Leave it out.")
        columns.append(np.where(known, values, np.nan))
    return np.stack(columns, 1)


def _of_column(table: pa.Table, name: str) -> Values:
    column = table[name]
    if is_number(column.type):
        whole = column.combine_chunks().cast(pa.float64())
        return np.asarray(whole.to_numpy(zero_copy_only=False), np.float64)
    values, wrong = _of_texts(column)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"The column {plain(name, 60)!r} holds {plain(str(column[row].as_py()), 40)!r} in row "
            f"{row + 1:,}, which is not a number.",
            "Mend the row or choose another column.",
        )
    return values


def _of_texts(column: pa.ChunkedArray) -> tuple[Values, NDArray[np.bool_]]:
    """Texts as numbers, and those that are none: as Python writes them, or as tables read them."""
    texts = pd.Series(column.to_pandas(), dtype=object)
    values = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    if np.isnan(values[texts.notna().to_numpy()]).any():
        values = np.where(np.isnan(values), numbers(column), values)
    return values, np.isnan(values) & texts.notna().to_numpy() & (texts != "nan").to_numpy()
