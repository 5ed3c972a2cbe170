"""Queries with passages in several splits, which a model has seen in training already."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note


def shared_queries(raw: RawData, column: str) -> Iterator[Note]:
    """Yield a note on each split with queries that training rows have too."""
    known = pc.unique(raw.train[column])
    for split in (VALIDATION, TEST):
        table = raw.splits.get(split)
        if table is None or column not in table.column_names:
            continue
        queries = pc.unique(table[column]).cast(known.type)
        shared = pc.sum(pc.is_in(queries, value_set=known)).as_py() or 0
        if shared:
            why = (
                f"{shared:,} of {counted(len(queries), 'text')} of {split} are in {TRAIN} too, "
                "with other passages"
            )
            yield Note(why, plain(column, 60), split, shared, "data.group")
