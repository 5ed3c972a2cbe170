"""Several labels of a text in columns of their own, which hold 1 where the text has that label."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import RawData, class_names
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.columns import LABEL_NAMES, by_name, is_text

LABELS = "labels"
_FEWEST = 3
"""Fewer columns of 0 and 1 than this are not taken for labels."""
_FLAGS = frozenset(("0", "1", "true", "false"))
_FIRST = 1000
"""Rows that show of most columns that they hold no flags, at little cost."""


def with_flags_joined(raw: RawData) -> RawData:
    """Return the data with a column ``labels``: lists of the columns that hold 1.

    Only where no column is called a label, and three or more hold nothing but 0 and 1. A row of
    another split with any other value in them has no labels that are known.
    """
    table = raw.train
    if by_name(table, LABEL_NAMES) or any(class_names(table, n) for n in table.column_names):
        return raw
    flags = [name for name in table.column_names if _holds_flags(table[name])]
    if len(flags) < _FEWEST or not any(
        is_text(table, name) for name in table.column_names if name not in flags
    ):
        return raw
    splits = {split: _joined(one, flags) for split, one in raw.splits.items()}
    shown = ", ".join(plain(name, 40) for name in flags[:_FEWEST]) + " …" * (len(flags) > _FEWEST)
    why = f"the columns of 0 and 1 ({shown}) are taken for {len(flags)} labels of a text"
    return raw.with_splits(
        splits, Note(why, LABELS, "lists of classes", change="task.label", kind="converted")
    )


def _written(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return flags as texts: ``0``, ``1``, or anything else."""
    written = column.cast(pa.string()) if not pa.types.is_string(column.type) else column
    return pc.replace_substring_regex(pc.utf8_lower(written), r"\.0+$", "")


def _holds_flags(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if column.null_count or not (
        pa.types.is_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
    ):
        return False
    values = set(_written(column[:_FIRST]).unique().to_pylist())
    return values <= _FLAGS and set(_written(column.unique()).to_pylist()) <= _FLAGS


def _joined(table: pa.Table, flags: Sequence[str]) -> pa.Table:
    if not set(flags) <= set(table.column_names):
        return table
    rows = zip(*(_written(table[name]).to_pylist() for name in flags), strict=True)
    labels = [
        [name for name, cell in zip(flags, row, strict=True) if cell in ("1", "true")]
        if _FLAGS.issuperset(row)
        else None
        for row in rows
    ]
    column = pa.array(labels, pa.list_(pa.string()))
    return table.drop_columns(list(flags)).append_column(LABELS, column)
