"""Predictions as a file: CSV, Parquet or JSON lines, by the suffix of its name."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from engine.errors import UserError
from engine.files.atomic import write_bytes
from engine.files.sanitize import plain

Record = Mapping[str, Any]


def check_output(path: Path, source: Path | None) -> None:
    """Raise :class:`UserError` for a suffix without a format, or the file of the input itself."""
    if path.suffix.lower() not in _WRITERS:
        raise UserError(
            f"{plain(path.name, 200)} has the suffix of no format for predictions.",
            f"Name it with one of {', '.join(_WRITERS)}.",
        )
    if source and path.exists() and source.exists() and path.samefile(source):
        raise UserError(f"{plain(path, 400)} is the input itself.", "Name another file.")


def write_records(records: Sequence[Record], path: Path) -> None:
    """Write one row a record; the file appears whole or not at all."""
    content = io.BytesIO()
    _WRITERS[path.suffix.lower()](records, content)
    try:
        write_bytes(path, content.getvalue())
    except OSError as error:
        raise UserError(
            f"{plain(path, 400)} cannot be written: {error.strerror or error}.",
            "Choose another file.",
        ) from error


def _table(records: Sequence[Record]) -> pa.Table:
    """Columns in the order in which records have them."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {name: [record.get(name) for record in records] for name in names}
    return pa.table({name: _column(values) for name, values in columns.items()})


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except pa.ArrowException:
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _as_csv(records: Sequence[Record], file: BinaryIO) -> None:
    """Write lists and objects as JSON in their cells."""
    table = _table(records)
    for place, column in enumerate(table.columns):
        if pa.types.is_nested(column.type):
            name = table.column_names[place]
            texts = pa.array([_text(record.get(name)) for record in records], pa.string())
            table = table.set_column(place, name, texts)
    pyarrow.csv.write_csv(table, file)


def _as_parquet(records: Sequence[Record], file: BinaryIO) -> None:
    pyarrow.parquet.write_table(_table(records), file)


def _as_lines(records: Sequence[Record], file: BinaryIO) -> None:
    for record in records:
        file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


_WRITERS: Mapping[str, Callable[[Sequence[Record], BinaryIO], None]] = {
    ".csv": _as_csv,
    ".parquet": _as_parquet,
    ".jsonl": _as_lines,
}
