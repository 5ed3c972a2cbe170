"""Columns of numbers of a series: of a type of numbers, or texts such as ``1,006.60``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.raw import decimal_mark_of
from engine.data.tables.number_format import doubt_of_numbers
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import number_format_of, numbers, tidy
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

Values = NDArray[np.float64]

_MOSTLY = 0.8
"""Share of numbers from which on the texts of a column are likely to be mistakes."""
_LARGEST = 1e30
"""Squares and sums of larger numbers are beyond what networks compute with."""


def is_number(type: pa.DataType) -> bool:
    """Whether a type is one of numbers."""
    kinds = (pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_boolean)
    return any(kind(type) for kind in kinds)


def is_text(type: pa.DataType) -> bool:
    """Whether a type is one of texts."""
    return bool(pt.is_string(type) or pt.is_large_string(type))


def has_numbers(column: pa.ChunkedArray, decimal: str = "") -> bool:
    """Whether all values of a column that are not missing are numbers.

    ``decimal`` is the decimal mark of the file, where it is known.
    """
    if column.null_count == len(column):
        return False
    if is_number(column.type):
        return True
    if not is_text(column.type) or _of_texts(column.slice(0, 200), None)[1].all():
        return False
    values, wrong = _of_texts(column, number_format_of(column, decimal))
    return not wrong.any() and bool(np.isfinite(values).any())


def first_text(column: pa.ChunkedArray, decimal: str = "") -> int | None:
    """Return the row of the first text in a column that holds mostly numbers, as texts."""
    if not is_text(column.type):
        return None
    wrong = _of_texts(column, number_format_of(column, decimal))[1]
    few = 0 < wrong.sum() < (1 - _MOSTLY) * len(column)
    return int(wrong.argmax()) if few else None


def number_formats(table: pa.Table, names: Sequence[str]) -> dict[str, NumberFormat]:
    """Return the format of the numbers in each of the columns of texts."""
    decimal = decimal_mark_of(table)
    texts = [name for name in names if is_text(table[name].type)]
    return {name: number_format_of(table[name], decimal) for name in texts}


def format_notes(table: pa.Table, formats: Mapping[str, NumberFormat]) -> Iterator[Note]:
    """Yield notes on columns of texts whose numbers are not written as usual, or are in doubt."""
    decimal = decimal_mark_of(table)
    for name, written in formats.items():
        column, shown = tidy(table[name]), plain(name, 60)
        rows = len(column) - column.null_count
        if doubt := doubt_of_numbers(column.drop_null().unique().to_pylist(), written, decimal):
            change = f'data.columns.{shown}="numeric 1.234,5"' if "thousands" in doubt else ""
            yield Note(doubt, shown, "numbers", rows, change)
        elif written != NumberFormat():
            why = f"numbers are written like {written.example}"
            yield Note(why, shown, "numbers", rows, kind="converted")


def read_channels(
    table: pa.Table,
    names: Sequence[str],
    formats: Mapping[str, NumberFormat] = MappingProxyType({}),
) -> Values:
    """``[rows, columns]`` with NaN for what is missing or infinite; texts in their ``formats``.

    Raises :class:`DataError` for a column without numbers, for a value that is none, and for one
    that is too large.
    """
    columns = []
    for name in names:
        values = _of_column(table, name, formats.get(name))
        known = np.isfinite(values)
        if not known.any():
            raise DataError(
                f"The column {plain(name, 60)!r} holds no numbers.",
                "Give it some, or choose another one.",
            )
        if (huge := known & (np.abs(values) > _LARGEST)).any():
            row = int(huge.argmax())
            raise DataError(
                f"The column {plain(name, 60)!r} holds {values[row]:g} in row {row + 1:,}, where "
                f"numbers up to {_LARGEST:g} can be computed with.",
                "Correct the row, or choose another column.",
            )
        columns.append(np.where(known, values, np.nan))
    return np.stack(columns, 1)


def _of_column(table: pa.Table, name: str, written: NumberFormat | None) -> Values:
    column = table[name]
    if is_number(column.type):
        whole = column.combine_chunks().cast(pa.float64(), safe=False)
        return np.asarray(whole.to_numpy(zero_copy_only=False), np.float64)
    values, wrong = _of_texts(column, written)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"The column {plain(name, 60)!r} holds {plain(str(column[row].as_py()), 40)!r} in row "
            f"{row + 1:,}, which is not a number"
            + (f" such as {written.example}." if written and written != NumberFormat() else "."),
            "Fix the row or choose another column.",
        )
    return values


def _of_texts(
    column: pa.ChunkedArray, written: NumberFormat | None
) -> tuple[Values, NDArray[np.bool_]]:
    """Texts as numbers, and those that are none; ``007`` is 7, as a series has no codes."""
    column = tidy(column)
    if pt.is_string(column.type):
        column = pc.replace_substring_regex(column, r"^0+(\d+)$", r"\1")
    values = numbers(column, written)
    return values, np.isnan(values) & np.asarray(column.is_valid())
