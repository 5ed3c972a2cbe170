"""Tables of JSON objects, and of columns of any values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from engine.data.readers.spans import span_column
from engine.data.readers.turns import as_json, holds_objects
from engine.errors import DataError
from engine.files.sanitize import plain

MOST_LEVELS = 100
"""Levels to which values may be nested."""


def table_of_records(path: Path, records: Iterable[Any]) -> pa.Table:
    """A table of JSON objects; keys that one lacks are missing there. Raises :class:`DataError`."""
    columns: dict[str, list[Any]] = {}
    count = 0
    for count, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise DataError(
                f"{plain(path.name)}, row {count}: {plain(record, 40)!r} is not an object."
            )
        for name, value in record.items():
            column = columns.setdefault(str(name), [])
            column.extend([None] * (count - 1 - len(column)))
            column.append(value)
    for column in columns.values():
        column.extend([None] * (count - len(column)))
    return table_of_columns(path, columns)


def table_of_columns(path: Path, columns: Mapping[str, list[Any]]) -> pa.Table:
    """Return a table of columns of equal length. Raises :class:`DataError`."""
    try:
        return pa.table({name: column_of(path, name, values) for name, values in columns.items()})
    except UnicodeEncodeError as error:
        text = plain(ascii(error.object), 60)
        rows = (row for values in columns.values() for row in _halves(values))
        where = f", row {row:,}" if (row := next(rows, None)) else ""  # else in a column's name
        raise DataError(
            f"{plain(path.name)}{where}: the text {text} holds half a character (a lone "
            "surrogate).",
            "Correct it there: texts that are cut within an emoji have one.",
        ) from error


def _halves(values: list[Any]) -> Iterator[int]:
    """Yield the numbers of rows, from 1, with texts that cannot be written as UTF-8."""
    for row, value in enumerate(values, 1):
        try:
            json.dumps(value, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            yield row


def column_of(path: Path, name: str, values: list[Any]) -> pa.Array:
    """An Arrow column; scalars of several types become text. Raises :class:`DataError`."""
    if holds_objects(values) and (written := as_json(values)) is not None:
        return pa.array(written)
    try:
        column = pa.array(values)
        if _mixes_truth_and_numbers(values, column.type):
            raise pa.ArrowInvalid("truth values and numbers")
    except (pa.ArrowException, OverflowError):
        if (spans := span_column(values)) is not None:
            return spans
        if (lists := _with_numbers(values)) is not None:
            return pa.array(lists)
        if (written := as_json(values)) is not None:
            return pa.array(written)
        if any(isinstance(value, list | dict) for value in values):
            raise DataError(
                f"{plain(path.name)}: the values of {plain(name, 60)!r} have different shapes."
            ) from None
        return pa.array([None if value is None else str(value) for value in values])
    check_levels(path, name, column.type)
    return column


def _with_numbers(values: list[Any]) -> list[Any] | None:
    """Lists of numbers in which ``"NaN"`` stands for a missing one, as GluonTS writes it.

    ``None`` for other values.
    """
    lists = [value for value in values if value is not None]
    cells = [cell for one in lists if isinstance(one, list) for cell in one]
    if not all(isinstance(one, list) for one in lists) or not all(map(_may_be_number, cells)):
        return None

    def numbers(row: list[Any]) -> list[float | None]:
        return [None if cell is None or isinstance(cell, str) else float(cell) for cell in row]

    return [None if value is None else numbers(value) for value in values]


def _may_be_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.lower() == "nan"
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _mixes_truth_and_numbers(values: list[Any], kind: pa.DataType) -> bool:
    """Whether Arrow took truth values for 0 and 1, as it does behind a number."""
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return numeric and any(isinstance(value, bool) for value in values)


def check_levels(path: Path, name: str, kind: pa.DataType) -> None:
    """Refuse values that are nested too deeply; a table of them takes gigabytes."""
    levels, kinds = 0, [kind]
    while kinds := [kind.field(i).type for kind in kinds for i in range(kind.num_fields)]:
        levels += 1
    if levels > MOST_LEVELS:
        raise DataError(
            f"{plain(path.name)}: the values of {plain(name, 60)!r} are nested more than "
            f"{MOST_LEVELS} levels deep."
        )
