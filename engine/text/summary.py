"""The summary of a data set on text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from engine.config.run_config import RunConfig
from engine.data.image_record import example_of, is_image_record
from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note

_FEW = 8
"""Columns that a note names."""


def summary_of(
    config: RunConfig,
    raw: RawData,
    roles: Mapping[str, str],
    facts: Mapping[str, str],
    classes: Mapping[str, int] | None = None,
) -> DataSummary:
    """Columns with their ``roles`` (others are ignored), and further facts of the task."""
    ordered = None
    if classes is not None:
        ordered = dict(sorted(classes.items(), key=lambda item: -item[1]))
    return DataSummary(
        source=config.data.label,
        rows={split: table.num_rows for split, table in raw.splits.items()},
        columns=tuple(_column(raw.train, name, roles, classes) for name in raw.train.column_names),
        classes=ordered,
        facts=dict(facts),
        notes=(*raw.notes, *_unused(raw.train, roles)),
        skips=tuple(asdict(skip) for skip in raw.skips),
    )


def _unused(table: pa.Table, roles: Mapping[str, str]) -> list[Note]:
    """Return a note on the columns without a role."""
    names = [plain(name, 40) for name in table.column_names if name not in roles]
    if not names:
        return []
    some = ", ".join(names[:_FEW]) + f" and {len(names) - _FEW:,} more" * (len(names) > _FEW)
    return [Note(f"not used: {some}", kind="dropped")]


def _column(
    table: pa.Table, name: str, roles: Mapping[str, str], classes: Mapping[str, int] | None
) -> ColumnSummary:
    """Summarise a column; of labels, the distinct values are the classes that have rows."""
    example: Any = table[name][0].as_py() if table.num_rows else ""
    kind = _type(table.schema.field(name).type)
    role = roles.get(name, "ignored")
    labels = role == "label" and kind != "list"
    return ColumnSummary(
        name=name,
        type=kind,
        role=role,
        missing=table[name].null_count,
        distinct=sum(count > 0 for count in (classes or {}).values()) if labels else 0,
        example=example_of(example, 80),
    )


def _type(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_nested(kind):
        return "image" if is_image_record(kind) else "list"
    return "numeric" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "categorical"
