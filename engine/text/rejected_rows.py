"""Rows that an annotator rejected or passed over, as Prodigy keeps them among the others."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import RawData
from engine.text.rows import without_faults

_ANSWER, _ACCEPTED = "answer", "accept"
_ANSWERS = frozenset((_ACCEPTED, "reject", "ignore"))
_MARKS = ("_input_hash", "_task_hash")
"""Columns that Prodigy gives all its files."""
CHOICES, OPTIONS, LABEL = "accept", "options", "label"


def without_rejected(raw: RawData) -> RawData:
    """Return the data of Prodigy without the rows that were not accepted, which are counted.

    What was chosen among options becomes the ``label``. Data of anybody else stays as it is.
    """
    if not _is_of_prodigy(raw.train):
        return raw
    raw = without_faults(raw, _faults)
    splits = {split: _with_label(table) for split, table in raw.splits.items()}
    return raw.with_splits(splits)


def _is_of_prodigy(table: pa.Table) -> bool:
    if _ANSWER not in table.column_names or not any(n in table.column_names for n in _MARKS):
        return False
    return set(pc.unique(table[_ANSWER]).to_pylist()) <= _ANSWERS


def _faults(table: pa.Table) -> list[str | None]:
    if _ANSWER not in table.column_names:
        return [None] * table.num_rows
    return [
        None if answer in (None, _ACCEPTED) else f"its annotator answered {answer}"
        for answer in table[_ANSWER].to_pylist()
    ]


def _with_label(table: pa.Table) -> pa.Table:
    unused = [name for name in (_ANSWER, *_MARKS) if name in table.column_names]
    table = table.drop_columns(unused)
    if LABEL in table.column_names or not {CHOICES, OPTIONS} <= set(table.column_names):
        return table
    chosen = table[CHOICES].to_pylist()
    table = table.drop_columns([CHOICES, OPTIONS])
    if any(len(names or ()) > 1 for names in chosen):
        return table.append_column(LABEL, pa.array(chosen, pa.list_(pa.string())))
    single = [names[0] if names else None for names in chosen]
    return table.append_column(LABEL, pa.array(single, pa.string()))
