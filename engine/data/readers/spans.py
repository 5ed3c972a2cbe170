"""Lists of spans as annotation tools write them: ``[[0, 5, "person"], …]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

SPANS = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())]))
"""The type of a column of spans; characters from ``start`` to before ``end``."""


def span_column(values: Sequence[Any]) -> pa.Array | None:
    """Return a column of spans, or ``None`` where ``values`` hold anything else."""
    if not all(value is None or _is_spans(value) for value in values):
        return None
    rows = [
        value and [dict(zip(("start", "end", "label"), span, strict=True)) for span in value]
        for value in values
    ]
    return pa.array(rows, SPANS)


def _is_spans(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(span, list)
        and len(span) == len(SPANS.value_type)
        and all(isinstance(place, int) for place in span[:2])
        and isinstance(span[2], str)
        for span in value
    )
