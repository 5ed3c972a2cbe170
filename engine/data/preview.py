"""The first rows of a data set as texts, with what the task makes of its columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.config import RunConfig
from engine.data.loaded import loaded

_CELL = 80


def preview(values: Mapping[str, Any], rows: int = 20) -> dict[str, Any]:
    """Answer ``preview``: the summary, and the first training rows of every column.

    Raises ``ConfigError`` and ``DataError``.
    """
    config = RunConfig.parse(values)
    task, raw, fitted = loaded(config)
    table = raw.train.slice(0, rows)
    return {
        "summary": task.summarize(raw, fitted).record(),
        "columns": list(table.column_names),
        "rows": [
            [_text(cell) for cell in row]
            for row in zip(*(column.to_pylist() for column in table.columns), strict=True)
        ],
    }


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, dict) and isinstance(cell.get("bytes"), bytes):
        return f"{cell.get('path') or 'image'} ({len(cell['bytes']):,} bytes)"
    if isinstance(cell, float):
        return f"{cell:.6g}"
    return str(cell)[:_CELL]
