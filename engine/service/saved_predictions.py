"""Predictions of a finished run for a file, written to a CSV or Parquet file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from engine.config.data.file import FileConfig
from engine.errors import DataError, UserError
from engine.files import atomic
from engine.files.paths import expanded, runs_folder
from engine.files.sanitize import plain
from engine.runs.directory import RunDirectory
from engine.service.predict import predict_file

_WRITERS: Mapping[str, Callable[[pa.Table, pa.BufferOutputStream], object]] = {
    ".csv": pyarrow.csv.write_csv,
    ".parquet": pyarrow.parquet.write_table,
}


def answer(run: str, output: str, file: str = "") -> dict[str, Any]:
    """Predict the rows of ``file`` and write them to ``output``, whose ending says the format.

    Without a file, a forecast continues the data of the run. Each prediction stands behind the
    columns of its row; a forecast has the columns that tell series apart, and the times. Returns
    ``path``, ``rows`` and ``notes``. Raises :class:`~engine.errors.UserError`.
    """
    target = expanded(output)
    if target.suffix.lower() not in _WRITERS:
        raise UserError(
            f"Predictions are written as CSV or Parquet, and {plain(target.name)!r} is neither.",
            "Give the file a name that ends in .csv or .parquet.",
        )
    if target.exists():
        raise UserError(f"There is already a file {plain(target)}.", "Choose another name.")
    predicted = predict_file(run, file or _data_of(run))
    table = _table(predicted.records, predicted.table)
    _write(table, target)
    notes = list(map(asdict, predicted.notes))
    return {"path": str(target.absolute()), "rows": table.num_rows, "notes": notes}


def _data_of(run: str) -> str:
    """Return the file whose future is forecast."""
    config = RunDirectory.open(runs_folder(), run).config.read()
    if config.task.kind != "forecasting":
        raise UserError("Only a forecast continues its own data.", "Name a file of rows.")
    if not isinstance(config.data, FileConfig):
        raise UserError("The data of this run is not a file.", "Name a file with the past.")
    return config.data.path


def _table(records: Sequence[Mapping[str, Any]], rows: pa.Table) -> pa.Table:
    """Return the predictions, behind the rows where there is one for each."""
    columns = _columns(records)
    if len(records) != rows.num_rows or not columns:
        return pa.table(columns)
    table = rows.replace_schema_metadata(None)
    for name, values in columns.items():
        if name in table.column_names:
            if table.column(name).combine_chunks().equals(values):
                continue  # an input that the prediction repeats
            name = _free(f"predicted {name}", table.column_names)
        table = table.append_column(name, values)
    return table


def _columns(records: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    flat = [_flat(record) for record in records]
    names = dict.fromkeys(name for record in flat for name in record)
    return {name: _array([record.get(name) for record in flat]) for name in names}


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with a column for each score."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            prefix = name.removesuffix("s")
            flat |= {f"{prefix} {key}": part for key, part in value.items()}
        else:
            flat[name] = value
    return flat


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _write(table: pa.Table, target: Path) -> None:
    suffix = target.suffix.lower()
    if suffix == ".csv":
        table = _texts_for_csv(table)
    stream = pa.BufferOutputStream()
    _WRITERS[suffix](table, stream)
    try:
        atomic.write_bytes(target, stream.getvalue().to_pybytes())
    except OSError as error:
        raise DataError(f"Cannot write {plain(target)}: {error.strerror}.") from error


def _texts_for_csv(table: pa.Table) -> pa.Table:
    """Return the table with lists and other nested values as JSON."""
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = [
                None if value is None else json.dumps(value, default=str, ensure_ascii=False)
                for value in table.column(place).to_pylist()
            ]
            table = table.set_column(place, field.name, pa.array(values))
    return table
