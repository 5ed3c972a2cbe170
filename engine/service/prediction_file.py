"""A table of predictions as a file: CSV, Parquet or JSON lines, by the suffix of its name."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from engine.errors import UserError
from engine.files.atomic import writing
from engine.files.sanitize import plain
from engine.reports.views import json_values

_REPEATED = 0.25
"""Share of different fractions up to which Parquet holds them once each."""


def check_output(path: Path, replace: bool, *sources: Path) -> None:
    """Raise :class:`UserError` for a suffix without a format, or a file that is not to be lost.

    ``sources`` are never overwritten, and other files only if they are to be ``replace``\\ d.
    """
    if path.suffix.lower() not in _WRITERS:
        raise UserError(
            f"{plain(path.name, 200)} has the suffix of no format for predictions.",
            f"Name it with one of {', '.join(_WRITERS)}.",
        )
    if not path.exists():
        return
    if any(source.exists() and path.samefile(source) for source in sources):
        raise UserError(f"{plain(path, 400)} is the input itself.", "Name another file.")
    if not replace:
        raise UserError(f"There is already a file {plain(path, 400)}.", "Choose another name.")


def write_table(table: pa.Table, path: Path) -> None:
    """Write all rows; the file appears whole or not at all. Raises :class:`UserError`."""
    write_pieces(iter([table]), path)


def write_pieces(pieces: Iterator[pa.Table], path: Path) -> None:
    """Write one or more tables of one schema after each other, like :func:`write_table`.

    The memory that is used does not grow with their number.
    """
    try:
        with writing(path) as file:
            _WRITERS[path.suffix.lower()](next(pieces), pieces, file)
    except OSError as error:
        raise UserError(
            f"{plain(path, 400)} cannot be written: {error.strerror or error}.",
            "Choose another file.",
        ) from error


def _as_csv(first: pa.Table, others: Iterator[pa.Table], file: BinaryIO) -> None:
    """Write lists and objects as JSON in their cells, and bytes in base64."""
    with pyarrow.csv.CSVWriter(file, _with_cells(first.slice(0, 0)).schema) as writer:
        for piece in chain([first], others):
            writer.write_table(_with_cells(piece))


def _with_cells(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        spelled = _base64 if _is_bytes(field.type) else _json
        if _is_bytes(field.type) or pa.types.is_nested(field.type):
            values = table.column(place).to_pylist()
            texts = [None if value is None else spelled(value) for value in values]
            table = table.set_column(place, field.name, pa.array(texts, pa.string()))
    return table


def _is_bytes(kind: pa.DataType) -> bool:
    fixed = pa.types.is_fixed_size_binary(kind)
    return bool(fixed or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _as_parquet(first: pa.Table, others: Iterator[pa.Table], file: BinaryIO) -> None:
    """Write dictionaries of values that repeat: of others they cost more time than all the rest."""
    repeated = [name for name in first.column_names if _repeats(first[name])]
    with pyarrow.parquet.ParquetWriter(file, first.schema, use_dictionary=repeated) as writer:
        for piece in chain([first], others):
            writer.write_table(piece)


def _repeats(column: pa.ChunkedArray) -> bool:
    """Return whether few values of a column are the only ones of their kind."""
    numbers = pa.types.is_floating(column.type)
    return not numbers or pc.count_distinct(column).as_py() <= _REPEATED * len(column)


def _as_lines(first: pa.Table, others: Iterator[pa.Table], file: BinaryIO) -> None:
    for piece in chain([first], others):
        for batch in piece.to_batches(max_chunksize=1000):
            file.writelines(_json(record).encode() + b"\n" for record in batch.to_pylist())


def _json(value: Any) -> str:
    try:
        return json.dumps(value, default=_spelled, ensure_ascii=False, allow_nan=False)
    except ValueError:  # rare, and to look for such numbers in all rows would cost more
        return json.dumps(json_values(value), default=_spelled, ensure_ascii=False, allow_nan=False)


def _spelled(value: Any) -> str:
    return _base64(value) if isinstance(value, bytes) else str(value)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_WRITERS: Mapping[str, Callable[[pa.Table, Iterator[pa.Table], BinaryIO], None]] = {
    ".csv": _as_csv,
    ".parquet": _as_parquet,
    ".jsonl": _as_lines,
}
