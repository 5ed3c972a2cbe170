"""Predictions of a finished run or an exported model: for inputs given by hand, or for a file."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from engine.batches.source import Source
from engine.config.data.file import FileConfig
from engine.data.fitted import FileFormat, Fitted
from engine.data.on_disk import Rows
from engine.data.raw import Skip
from engine.data.readers.base import READERS
from engine.data.readers.files import options_of
from engine.data.readers.later import read_later
from engine.data.readers.reading import ReadOptions, suffix_of, with_numbers
from engine.data.tables.flat_objects import flat_row
from engine.errors import DataError
from engine.files.paths import expanded
from engine.files.sanitize import plain
from engine.pipelines.abilities import ArrangesFiles, TakesFuture
from engine.reports.gallery import Gallery
from engine.reports.note import Note
from engine.reports.picture import Picture
from engine.runs.events import Event, Log, Report
from engine.service.given_images import given_images
from engine.service.loaded_models import LoadedModels
from engine.service.model_source import exported_model
from engine.tasks.explainable import explains
from engine.tasks.task import Task

_NUMBERED = re.compile(r"column_\d+")
"""Names that the columns of a file without a header get."""
_PROGRESS = "info"
"""Level of the messages on what is being done; others are doubts."""
_SHOWN = 1000
"""Predictions that a screen gets, of which it shows fewer."""
_BESIDE = 4
"""Columns of a file that are shown beside a prediction."""
_PLAIN = (str, int, float, bool, type(None))
Row = str | Mapping[str, Any]
loaded = LoadedModels()


@dataclass(frozen=True)
class Predictions:
    """Predictions from rows, and charts of them where they are forecasts."""

    records: list[dict[str, Any]]
    rows: list[int] | None = None
    """Numbers of the rows that have a record, where those that cannot be read have none."""
    gallery: Gallery | None = None

    def rows_with_records(self, table: pa.Table) -> pa.Table:
        """Return the rows of a table that were predicted from."""
        if self.rows is None or len(self.rows) == table.num_rows:
            return table
        return Rows(table).take(np.array(self.rows, np.int64))


@dataclass(frozen=True)
class FilePredictions:
    """Predictions from the rows of a file."""

    table: pa.Table | None
    """The rows of the records as they were read, with all columns; ``None`` for a forecast."""
    records: list[dict[str, Any]]
    notes: list[Note]
    pictures: list[Picture]
    """The first rows, where they are images."""
    gallery: Gallery | None = None
    """Charts of forecasts, where they are asked for."""


def answer(
    run: str,
    rows: Sequence[Row] | None = None,
    file: str = "",
    device: str = "cpu",
    future: str = "",
    drawn: bool = False,
    presented: bool = True,
) -> dict[str, Any]:
    """Predict from ``rows`` (a text for the only input, or values by column) or a ``file``.

    Records of ``rows`` are ``presented`` as a person looks at them, such as a mask by the shares of
    its classes, or have all that was predicted.

    A file of the ``future`` has the columns of a forecast that are known ahead. Without rows and
    file, only the names of the columns are returned. Returns ``inputs``, ``ahead`` (the columns of
    a file of the future), ``by_row`` (whether each row is predicted by itself), ``explained``
    (whether the prediction for a row can be), ``records`` (one a row, or for a forecast one a step
    of the horizon), ``beside`` (what tells the rows of a file apart: its columns that are no
    inputs, such as an id), ``notes`` on the input, ``pictures`` of the first rows, and ``count``,
    the number of records. If ``drawn``, for a screen, there is the ``gallery`` of a forecast,
    charts of the first series, and only the first 1,000 records are returned. Raises
    :class:`~engine.errors.UserError`.
    """
    task, fitted, network = load(run, device)
    inputs, ahead = task.pipeline.inputs(fitted), _ahead(task, fitted)
    notes: list[Note] = []
    records: list[dict[str, Any]] = []
    pictures: list[Picture] = []
    beside: list[dict[str, Any]] = []
    gallery: Gallery | None = None
    if file:
        predicted = predict_file(run, file, device, future, drawn)
        notes, records, pictures = predicted.notes, predicted.records, predicted.pictures
        beside, gallery = _named(predicted, inputs), predicted.gallery
    elif rows:
        table = table_of(rows, inputs)
        if task.pipeline.fills_columns:
            notes += _not_given(rows, inputs)
        found = _predict(task, fitted, network, table, device, notes, drawn)
        shown, gallery = task.presentation(network, fitted), found.gallery
        pictures = shown.pictures(found.rows_with_records(table), found.records)
        with torch.inference_mode():
            records = shown.records(found.records) if presented else found.records
    elif future:
        raise DataError("A future file continues a file of the past.", "Give that with --file.")
    count = len(records)
    if drawn:
        records, beside = records[:_SHOWN], beside[:_SHOWN]
    columns = {"inputs": list(inputs), "ahead": list(ahead)}
    rest = {
        "by_row": task.predicts_rows,
        "explained": explains(task, fitted),
        "notes": list(map(asdict, notes)),
        "pictures": list(map(asdict, pictures)),
        "count": count,
        "gallery": None if gallery is None else gallery.record(),
    }
    return columns | {"records": records, "beside": beside} | rest


def _not_given(rows: Sequence[Row], inputs: Sequence[str]) -> list[Note]:
    """Return a note on columns that typed rows of a table leave out."""
    given = [set(row if row.keys() <= set(inputs) else flat_row(row)) for row in rows
             if not isinstance(row, str)]  # fmt: skip
    absent = [name for name in inputs if any(name not in names for names in given)]
    if not absent:
        return []
    few = ", ".join(plain(name, 40) for name in absent[:3])
    others = f" and {len(absent) - 3:,} more" if len(absent) > 3 else ""
    count = sum(not names.issuperset(absent) for names in given)
    return [Note(f"not given, predicted as missing values: {few}{others}", rows=count)]


def _named(predicted: FilePredictions, inputs: Sequence[str]) -> list[dict[str, Any]]:
    """Return what tells the rows of a file apart: columns that are no inputs, else few inputs."""
    table = predicted.table
    if table is None or table.num_rows != len(predicted.records):
        return []
    named = [name for name in table.column_names if not pa.types.is_nested(table[name].type)]
    others = [name for name in named if name not in inputs]
    shown = others[:_BESIDE] or (named if len(named) <= _BESIDE else [])
    return [
        {name: value if isinstance(value, _PLAIN) else str(value) for name, value in row.items()}
        for row in table.select(shown).to_pylist()
    ]


def predict_file(
    run: str, file: str, device: str = "cpu", future: str = "", drawn: bool = False
) -> FilePredictions:
    """Predict from the rows of a file, as :func:`answer`."""
    task, fitted, network = load(run, device)
    notes: list[Note] = []
    whole, table = read_rows(task, fitted, file, notes)
    if future:
        table = _with_future(task, fitted, table, future, notes)
    found = _predict(task, fitted, network, table, device, notes, drawn)
    shown = found.rows_with_records(table)
    pictures = task.presentation(network, fitted).pictures(shown, found.records)
    rows = found.rows_with_records(whole) if task.predicts_rows else None
    return FilePredictions(rows, found.records, notes, pictures, found.gallery)


def read_rows(
    task: Task[Any], fitted: Fitted, file: str, notes: list[Note]
) -> tuple[pa.Table, pa.Table]:
    """Read a file to predict from: all of it, and what the task takes of it.

    A model of images takes a folder of them, too.
    """
    path = expanded(file)
    images = given_images(path, fitted)
    if images is not None:
        return images, task.pipeline.from_file(images, fitted, path.parent)
    whole, rows = _read(task, fitted, path, task.pipeline.inputs(fitted), notes)
    return whole, task.pipeline.from_file(rows, fitted, path.parent)


def _read(
    task: Task[Any], fitted: Fitted, path: Path, names: Sequence[str], notes: list[Note]
) -> tuple[pa.Table, pa.Table]:
    """Read a file: all of it, and its columns ``names`` with those that are of use beside them."""
    reading = read_later(path, *_options(task, path), _format(fitted, names), names)
    notes += [*reading.notes, *map(_skipped, reading.skips)]
    pipeline, table = task.pipeline, reading.table
    if isinstance(pipeline, ArrangesFiles):
        table = pipeline.arranged(table, names)
    beside = pipeline.beside(fitted, table.column_names)
    chosen = _columns_of(path, table, names, beside, notes)
    return table, with_numbers(chosen, reading.numbers & fitted.numeric_columns)


def _ahead(task: Task[Any], fitted: Fitted) -> tuple[str, ...]:
    """Return the columns of a file of the future; none where nothing is known ahead."""
    return task.pipeline.ahead(fitted) if isinstance(task.pipeline, TakesFuture) else ()


def _with_future(
    task: Task[Any], fitted: Fitted, table: pa.Table, file: str, notes: list[Note]
) -> pa.Table:
    """Return rows to predict from with those of a file of the future."""
    pipeline, ahead = task.pipeline, _ahead(task, fitted)
    if not isinstance(pipeline, TakesFuture) or not ahead:
        raise DataError(
            "This model was trained without columns that are known ahead, so it takes no future "
            "file.",
            "Leave --future out, or train with task.known_future.",
        )
    coming = _read(task, fitted, expanded(file), ahead, notes)[1]
    table, future_notes = pipeline.with_future(table, coming, fitted)
    notes += future_notes
    return table


def _skipped(skip: Skip) -> Note:
    return Note(skip.reason, rows=skip.count, kind="dropped")


def load(run: str, device: str = "cpu") -> tuple[Task[Any], Fitted, nn.Module]:
    """Return the model of a run or a folder, with its task and what that learned of the data."""
    return loaded.get(exported_model(run), torch.device(device))


def _predict(
    task: Task[Any],
    fitted: Fitted,
    network: nn.Module,
    table: pa.Table,
    device: str,
    notes: list[Note],
    drawn: bool,
) -> Predictions:
    notes.extend(task.pipeline.unfit(table, fitted))
    source = task.encode_new(table, fitted, torch.device(device), doubts_to(notes))
    calibration = task.calibration(fitted)
    if calibration is not None and calibration.recent is not None:
        fitted = calibration.recent(network, table, _bands_to(notes))
    with torch.inference_mode():
        found = _in_order(task, fitted, network, source)
        gallery = task.presentation(network, fitted).gallery(source) if drawn else None
    return replace(found, gallery=gallery)


def doubts_to(notes: list[Note]) -> Report:
    """Return a function that adds a task's doubts about its rows to ``notes``, not its progress."""

    def report(event: Event) -> None:
        if isinstance(event, Log) and event.level != _PROGRESS:
            notes.append(Note(event.message))

    return report


def _bands_to(notes: list[Note]) -> Report:
    """Return a function that adds what was found about bands to ``notes``."""

    def report(event: Event) -> None:
        if isinstance(event, Log):
            notes.append(Note(event.message, kind="converted"))

    return report


def _in_order(task: Task[Any], fitted: Fitted, network: nn.Module, source: Source) -> Predictions:
    """Records in the order of the rows, in whatever order the source reads them best."""
    plan = source.evaluation_plan(task.predicted_rows)
    planned = iter(plan)
    ordered: dict[int, list[dict[str, Any]]] = {}
    leaves_out = False
    for batch in source.read(plan):
        records = task.predict(network, batch, fitted)
        leaves_out = batch.numbers is not None
        rows = source.rows_of(next(planned) if batch.numbers is None else batch.numbers)
        if len(records) == len(rows):
            ordered |= {row: [record] for row, record in zip(rows, records, strict=True)}
        else:
            ordered[rows[0]] = records
    if not leaves_out and next(planned, None) is not None:
        raise ValueError("The source has fewer batches than its plan.")
    rows = sorted(ordered)
    found = [record for row in rows for record in ordered[row]]
    return Predictions(found, rows if leaves_out else None)


def table_of(rows: Sequence[Row], inputs: Sequence[str]) -> pa.Table:
    """Return rows given by hand as a table with all inputs; what is not given is missing."""
    values = [_by_column(row, inputs) for row in rows]
    return pa.table({name: column_of([row.get(name) for row in values]) for name in inputs})


def _by_column(row: Row, inputs: Sequence[str]) -> Mapping[str, Any]:
    if isinstance(row, str):
        if len(inputs) > 1:
            raise DataError(
                f"This model takes {len(inputs)} inputs; give them by name.",
                f"They are {', '.join(plain(name, 40) for name in inputs[:12])}.",
            )
        return {inputs[0]: row}
    row = row if row.keys() <= set(inputs) else flat_row(row)
    for name in row:
        if name not in inputs:
            near = difflib.get_close_matches(name, inputs, n=1)
            hint = f"Did you mean {plain(near[0], 60)}?" if near else f"It has {', '.join(inputs)}."
            raise DataError(f"This model has no input {plain(name, 60)!r}.", plain(hint, 400))
    return row


def column_of(values: list[Any]) -> pa.Array:
    """Return values as a column, as texts where their types differ."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([_as_text(value) for value in values])


def _as_text(value: Any) -> str | None:
    """A value as text, lists and objects as JSON."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return None if value is None else str(value)


def _options(task: Task[Any], file: Path) -> tuple[ReadOptions, str]:
    """Return the options and the format that were set for the training data."""
    data, options, format = task.config.data, ReadOptions(), ""
    if isinstance(data, FileConfig):
        options = options_of(data)
        format = "" if suffix_of(file) in READERS else data.format
    return replace(options, as_written=task.pipeline.reads_texts, later=True), format


def _format(fitted: Fitted, inputs: Sequence[str]) -> FileFormat | None:
    """Return the format of the training file; models of 0.1 know only whether it had a header."""
    if fitted.file_format is None and all(map(_NUMBERED.fullmatch, inputs)):
        return FileFormat(delimiter="", header="no")
    return fitted.file_format


def _columns_of(
    file: Path, table: pa.Table, inputs: Sequence[str], beside: Sequence[str], notes: list[Note]
) -> pa.Table:
    """Return inputs and those ``beside`` them of a file; its only column may have any name."""
    names = table.column_names
    if table.slice(0, 1).to_pylist() == [{name: name for name in names}]:
        table = table.slice(1)  # a header of the names that columns without one get
    missing = [name for name in inputs if name not in names]
    if missing and len(inputs) == 1 and table.num_columns == 1:
        name, read = plain(names[0], 40), plain(inputs[0], 40)
        notes.append(Note(f"the only column, {name}, is taken for {read}", read))
        return table.rename_columns(list(inputs))
    if missing:
        raise DataError(
            f"{plain(file)} has no column {', '.join(plain(name, 40) for name in missing[:5])}.",
            f"It has {', '.join(plain(name, 40) for name in names[:12])}.",
        )
    return table.select([*inputs, *beside])
