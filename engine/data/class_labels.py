"""Integer labels whose names ``datasets`` notes in the schema (``ClassLabel``)."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from engine.data.raw import class_names
from engine.errors import DataError
from engine.files import safe_json
from engine.files.sanitize import plain


def with_class_names(table: pa.Table, column: str, names: list[str]) -> pa.Table:
    """Note the names of an integer label in the schema, beside those of other columns."""
    metadata = table.schema.metadata or {}
    note = safe_json.loads(metadata[b"huggingface"]) if b"huggingface" in metadata else {}
    features = note.setdefault("info", {}).setdefault("features", {})
    features[column] = {"names": names, "_type": "ClassLabel"}
    return table.replace_schema_metadata(metadata | {b"huggingface": json.dumps(note).encode()})


def with_common_classes(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Number the classes of all tables alike, by their names.

    Each file has its own order of names: the same number may stand for different classes. Raises
    :class:`DataError` for lists of such labels, and for numbers without a name.
    """
    tables = list(tables)
    for column in tables[0].column_names:
        orders = [class_names(table, column) or [] for table in tables]
        if all(order == orders[0] for order in orders):
            continue
        together = list(dict.fromkeys(name for order in orders for name in order))
        tables = [
            with_class_names(_renumbered(table, column, order, together), column, together)
            for table, order in zip(tables, orders, strict=True)
        ]
    return tables


def _renumbered(
    table: pa.Table, column: str, order: Sequence[str], together: Sequence[str]
) -> pa.Table:
    if column not in table.column_names or not order:
        return table
    kind = table.schema.field(column).type
    if not pa.types.is_integer(kind):
        raise DataError(
            f"The files number the classes of {plain(column, 60)!r} in different orders.",
            "Write them anew in one order, or as names.",
        )
    codes = table[column].to_numpy(zero_copy_only=False)
    known = np.isfinite(codes) & (codes >= 0) & (codes < len(order))  # others mean a missing label
    places = np.array([together.index(name) for name in order])
    changed = places[np.where(known, codes, 0).astype(np.int64)]
    values = pa.array(changed, mask=~known).cast(kind)
    place = table.column_names.index(column)
    return table.set_column(place, table.schema.field(column), values)
