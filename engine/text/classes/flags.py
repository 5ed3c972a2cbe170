"""Classes in columns of their own, which hold 1 where the row has that label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import RawData, class_names
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.columns import LABEL_NAMES, by_name, is_text

LABELS = "labels"
_FEWEST = 3
"""Fewer columns of flags than this are not taken for labels."""
_ON = frozenset(("1", "true"))
_OFF = (frozenset(("0", "false")), frozenset(("-1",)))
"""Spellings of flags that are not set: a data set has one of them for all."""
_FIRST = 1000
"""Rows that show of most columns that they hold no flags, at little cost."""


@dataclass(frozen=True, slots=True)
class _Flags:
    columns: tuple[str, ...]
    off: frozenset[str]
    one_each: bool = False
    """Whether each row has one label: then it is a class."""

    def cells(self, table: pa.Table) -> list[list[str] | None]:
        """Return the labels of each row; none where a flag is anything else."""
        rows = zip(*(_written(table[name]).to_pylist() for name in self.columns), strict=True)
        known = _ON | self.off
        return [
            [name for name, cell in zip(self.columns, row, strict=True) if cell in _ON]
            if known.issuperset(row)
            else None
            for row in rows
        ]

    def joined(self, table: pa.Table) -> pa.Table:
        """Return a table with a column of labels in the place of the flags."""
        if not set(self.columns) <= set(table.column_names):
            return table
        labels = self.cells(table)
        column = (
            pa.array([one[0] if one and len(one) == 1 else None for one in labels], pa.string())
            if self.one_each
            else pa.array(labels, pa.list_(pa.string()))
        )
        return table.drop_columns(list(self.columns)).append_column(LABELS, column)


def with_flags_joined(raw: RawData) -> RawData:
    """Return the data with a column ``labels`` of the names of the columns that hold 1.

    Only where no column is called a label, and three or more hold nothing but 0 and 1, or -1 and
    1. Where each training row has one of them, that is its class, else a list. A row of another
    split with any other value in them has no labels that are known.
    """
    table = raw.train
    if by_name(table, LABEL_NAMES) or any(class_names(table, n) for n in table.column_names):
        return raw
    flags = max((_flags(table, off) for off in _OFF), key=lambda found: len(found.columns))
    others = [name for name in table.column_names if name not in flags.columns]
    if len(flags.columns) < _FEWEST or not any(is_text(table, name) for name in others):
        return raw
    one_each = all(one is not None and len(one) == 1 for one in flags.cells(table))
    flags = replace(flags, one_each=one_each)
    splits = {split: flags.joined(one) for split, one in raw.splits.items()}
    names = [plain(name, 40) for name in flags.columns[:_FEWEST]]
    shown = ", ".join(names) + " …" * (len(flags.columns) > _FEWEST)
    meaning = "classes, one a row" if one_each else "labels, several a row"
    why = f"{counted(len(flags.columns), 'column')} of flags ({shown}) are taken for {meaning}"
    noted = Note(why, LABELS, "classes", change="task.label", kind="converted")
    return replace(raw, splits=splits, notes=(*raw.notes, noted))


def _flags(table: pa.Table, off: frozenset[str]) -> _Flags:
    names = [name for name in table.column_names if _holds(table[name], _ON | off)]
    return _Flags(tuple(names), off)


def _holds(column: pa.ChunkedArray, values: frozenset[str]) -> bool:
    kind = column.type
    alone = pa.types.is_string(kind) or pa.types.is_boolean(kind)
    if column.null_count or not (alone or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return False
    return all(
        values.issuperset(_written(part.unique()).to_pylist()) for part in (column[:_FIRST], column)
    )


def _written(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return flags as they are known: ``0``, ``1``, or anything else."""
    written = column if pa.types.is_string(column.type) else column.cast(pa.string())
    plain_words = pc.utf8_trim_whitespace(pc.utf8_lower(written))
    return pc.replace_substring_regex(plain_words, r"\.0+$", "")
