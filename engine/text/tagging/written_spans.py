"""Spans of entities that a table holds as text, as annotation tools export them to CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from engine.data.readers.spans import SPANS, span_column
from engine.data.written_value import written_value
from engine.text.columns import is_text
from engine.text.tagging.spans import SPAN_NAMES, spans_of

_KEYS = tuple(field.name for field in SPANS.value_type)


def with_spans(table: pa.Table, tags: str) -> pa.Table:
    """Return the table with spans in the column ``tags`` or of a usual name that has them as text.

    Other texts among them become missing values.
    """
    for name in table.column_names:
        if (name == tags if tags else name.lower() in SPAN_NAMES) and is_text(table, name):
            cells = [_spans(text) for text in table[name].to_pylist()]
            if any(cells) and 2 * sum(cell is not None for cell in cells) > len(cells):
                place = table.column_names.index(name)
                table = table.set_column(place, name, pa.array(cells, SPANS))
    return table


def _spans(text: str | None) -> list[dict[str, Any]] | None:
    value = written_value(text or "")
    if not isinstance(value, list):
        return None
    if all(isinstance(span, Mapping) for span in value):
        return [dict(zip(_KEYS, span, strict=True)) for span in spans_of(value)]
    lists = [list(span) if isinstance(span, Sequence) else span for span in value]
    column = span_column([lists])
    return None if column is None else column[0].as_py()
