"""The first rows of a data set as texts, with what the task makes of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from engine.config.registry import resolve
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.data.load import load_data
from engine.data.raw import RawData
from engine.errors import DataError
from engine.pipelines.abilities import ShowsImages, learns_answers
from engine.pipelines.create import create_pipeline
from engine.pipelines.pipeline import DataPipeline
from engine.reports.note import Note
from engine.service.data_cache import loaded, loaded_rows, row_numbers

_CELL = 80
_WRITTEN = 2000
"""Conversations of each split that are written as in training, to tell what is not learned."""


def preview(values: Mapping[str, Any], rows: int = 20) -> dict[str, Any]:
    """Answer ``preview``: the summary, the first training rows of every column, and ``pictures``.

    Where the rows can be read but do not suit the task, ``summary`` is ``None`` and ``problem``
    says why. Raises ``ConfigError`` and ``DataError``.
    """
    pipeline = create_pipeline(RunConfig.parse(values))
    table = pipeline.shown(_rows(pipeline).train.slice(0, rows))
    return _judged(pipeline) | {
        "columns": list(table.column_names),
        "rows": [
            [_text(cell) for cell in row]
            for row in zip(*(column.to_pylist() for column in table.columns), strict=True)
        ],
    }


def _rows(pipeline: DataPipeline[Any]) -> RawData:
    try:
        return loaded_rows(pipeline)
    except DataError:  # of the task's own; when the data itself cannot be read, it is raised again
        return load_data(pipeline.config.data)


def _judged(pipeline: DataPipeline[Any]) -> dict[str, Any]:
    try:
        raw, fitted = loaded(pipeline)
        images = pipeline.pictures(raw, fitted) if isinstance(pipeline, ShowsImages) else ()
        summary = pipeline.summary(raw, fitted)
        summary = summary.with_notes(*_not_learned(pipeline, raw, fitted))
        return {"summary": summary.record(), "pictures": list(map(asdict, images)), "problem": ""}
    except DataError as error:
        return {"summary": None, "pictures": [], "problem": str(error)}


def _not_learned(pipeline: DataPipeline[Any], raw: RawData, fitted: Fitted) -> list[Note]:
    if not learns_answers(pipeline, fitted):
        return []
    # It needs torch, which a preview of other data does not wait for.
    row_notes = resolve("engine.service.row_check:row_notes")
    found: list[Note] = row_notes(pipeline, raw, fitted, row_numbers(pipeline), _WRITTEN)
    return found


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, dict) and isinstance(cell.get("bytes"), bytes):
        return f"{cell.get('path') or 'image'} ({len(cell['bytes']):,} bytes)"
    if isinstance(cell, dict) and cell.keys() == {"bytes", "path"}:
        return str(cell["path"] or "")
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return str(cell)[:_CELL]
