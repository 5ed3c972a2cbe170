"""Predictions of a finished run, written to a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from engine.config.data.file import FileConfig
from engine.data.dates.written_moment import as_timestamps
from engine.data.tables.converted import with_plain_numbers
from engine.errors import UserError
from engine.files.paths import expanded
from engine.pipelines.tables.fitted import TabularFitted
from engine.reports.note import Note
from engine.service import predict
from engine.service.column_predictions import free_name, predicted_pieces, predictor
from engine.service.image_names import with_image_names
from engine.service.lower_precision import agreement
from engine.service.predict import Row
from engine.service.prediction_file import check_output, write_pieces, write_table
from engine.tasks.tabular import TabularTask

Precision = Literal["float32", "bfloat16"]


def answer(
    run: str,
    output: str,
    file: str = "",
    future: str = "",
    rows: Sequence[Row] | None = None,
    replace: bool = False,
    precision: Precision = "float32",
) -> dict[str, Any]:
    """Predict ``rows``, or those of ``file``, and write them to ``output``, by its suffix.

    Without either, a forecast continues the data of the run. Each prediction stands behind the
    columns of its row, in which images have their paths or numbers; a forecast has the columns that
    tell series apart, and the times. A file that is there is refused, or overwritten if it may be
    ``replace``\\ d. Of a table, another ``precision`` is noted with its agreement. Returns
    ``path``, ``rows`` and ``notes``. Raises :class:`~engine.errors.UserError`.
    """
    target = expanded(output)
    check_output(target, replace, *(expanded(path) for path in (file, future) if path))
    many = None if rows else _save_columns(run, file, future, target, precision)
    if many is not None:
        return many
    if precision != "float32":
        raise UserError("Only a file of a table's rows is predicted in bfloat16.", "Use float32.")
    if rows:
        predicted = predict.answer(run, rows, presented=False)
        notes, table = predicted["notes"], pa.table(_columns(predicted["records"]))
    else:
        found = predict.predict_file(run, file or _data_of(run), future=future)
        read, found_notes = found.table, found.notes
        if read is not None:
            read, named = with_image_names(read, predict.load(run)[1])
            found_notes = [*found_notes, *named]
        table, notes = _table(found.records, read), list(map(asdict, found_notes))
        if target.suffix.lower() == ".parquet":
            table = _with_timestamps(table, found.records)
    write_table(table, target)
    return _saved(target, table.num_rows, notes)


def _save_columns(
    run: str, file: str, future: str, target: Path, precision: Precision
) -> dict[str, Any] | None:
    """Predict the rows of a table without records; ``None`` where a model takes no tables."""
    task, fitted, network = predict.load(run)
    if not isinstance(task, TabularTask) or not isinstance(fitted, TabularFitted):
        return None
    if not file or future:
        return None
    notes: list[Note] = []
    whole, inputs = predict.read_rows(task, fitted, file, notes)
    inputs = with_plain_numbers(inputs, fitted.features.columns)
    notes.extend(task.pipeline.unfit(inputs, fitted))
    predict_piece = exact = predictor(task, fitted, network)
    if precision == "bfloat16":
        predict_piece = predictor(task, fitted, network, bfloat16=True)
        notes.append(agreement(inputs, exact, predict_piece))
    write_pieces(predicted_pieces(predict_piece, inputs, whole), target)
    return _saved(target, whole.num_rows, list(map(asdict, notes)))


def _saved(target: Path, rows: int, notes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"path": str(target.absolute()), "rows": rows, "notes": notes}


def _data_of(run: str) -> str:
    """Return the file whose future is forecast."""
    config = predict.load(run)[0].config
    if config.task.kind != "forecasting":
        raise UserError("Only a forecast continues its own data.", "Name a file of rows.")
    if not isinstance(config.data, FileConfig):
        raise UserError("The data of this run is not a file.", "Name a file with the past.")
    return config.data.path


def _table(records: Sequence[Mapping[str, Any]], rows: pa.Table | None) -> pa.Table:
    """Return the predictions, behind the rows where there is one for each."""
    columns = _columns(records)
    if rows is None or len(records) != rows.num_rows or not columns:
        return pa.table(columns)
    table = rows.replace_schema_metadata(None)
    for name, values in columns.items():
        if name in table.column_names:
            if table.column(name).combine_chunks().equals(values):
                continue  # an input that the prediction repeats
            name = free_name(name, table.column_names)
        table = table.append_column(name, values)
    return table


def _with_timestamps(table: pa.Table, records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return a forecast with times as timestamps, which texts are for formats without types."""
    for place, name in enumerate(table.column_names):
        times = as_timestamps([record.get(name) for record in records])
        if times is not None:
            table = table.set_column(place, name, times)
    return table


def _columns(records: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    flat = [_flat(record) for record in records]
    names = dict.fromkeys(name for record in flat for name in record)
    return {name: predict.column_of([record.get(name) for record in flat]) for name in names}


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
