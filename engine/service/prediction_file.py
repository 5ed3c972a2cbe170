"""A table of predictions as a file: CSV, Parquet or JSON lines, by the suffix of its name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from engine.errors import UserError
from engine.files.atomic import write_bytes
from engine.files.sanitize import plain


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
    stream = pa.BufferOutputStream()
    _WRITERS[path.suffix.lower()](table, stream)
    try:
        write_bytes(path, stream.getvalue().to_pybytes())
    except OSError as error:
        raise UserError(
            f"{plain(path, 400)} cannot be written: {error.strerror or error}.",
            "Choose another file.",
        ) from error


def _as_csv(table: pa.Table, stream: pa.BufferOutputStream) -> None:
    """Write lists and objects as JSON in their cells."""
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [
                None if value is None else _json(value) for value in table.column(place).to_pylist()
            ]
            table = table.set_column(place, field.name, pa.array(texts, pa.string()))
    pyarrow.csv.write_csv(table, stream)


def _as_parquet(table: pa.Table, stream: pa.BufferOutputStream) -> None:
    pyarrow.parquet.write_table(table, stream)


def _as_lines(table: pa.Table, stream: pa.BufferOutputStream) -> None:
    for batch in table.to_batches(max_chunksize=1000):
        for record in batch.to_pylist():
            stream.write(_json(record).encode() + b"\n")


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


_WRITERS: Mapping[str, Callable[[pa.Table, pa.BufferOutputStream], None]] = {
    ".csv": _as_csv,
    ".parquet": _as_parquet,
    ".jsonl": _as_lines,
}
