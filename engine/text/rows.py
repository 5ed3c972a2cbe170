"""Rows that cannot be used are left out, counted and reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from engine.data.lost_splits import lost
from engine.data.on_disk import Rows, in_windows
from engine.data.raw import TRAIN, RawData, Skip
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

SOME = 2000
"""Rows whose lengths stand for those of all."""

_REMEDY = "Look at the columns chosen."

Fault = Callable[[pa.Table], Sequence[str | None]]
"""For each row of a table what is wrong with it, or ``None``."""
Named = Callable[[pa.Table, int], str]
"""A name for a row of a table, by its number from 0; empty where it has none."""


def without_faults(
    raw: RawData, fault: Fault, named: Named | None = None, remedy: str = _REMEDY
) -> RawData:
    """``raw`` without the rows that have a fault; other splits than train may vanish by it.

    Examples of them are ``named``, by default by split and number. Raises :class:`DataError` with
    the ``remedy`` when no training row is left.
    """
    splits: dict[str, pa.Table] = {}
    skips: dict[tuple[str, str], list[int]] = {}
    for split, table in raw.splits.items():
        faults = fault(table)
        for row, reason in enumerate(faults):
            if reason is not None:
                skips.setdefault((split, reason), []).append(row)
        kept = [row for row, reason in enumerate(faults) if reason is None]
        if len(kept) < table.num_rows:
            table = Rows(table).take(np.array(kept, np.int64))
        if table.num_rows or split == TRAIN:
            splits[split] = table
    if not splits[TRAIN].num_rows:
        whole = raw.splits[TRAIN]
        reasons = ", ".join(
            f"{reason} (the first: {first})" if first else reason
            for (split, reason), rows in skips.items()
            if split == TRAIN
            for first in [named(whole, rows[0]) if named else ""]
        )
        raise DataError(f"No training row can be used: {reasons}.", remedy)
    found = [
        Skip(
            reason,
            len(rows),
            (named and named(raw.splits[split], rows[0])) or f"{split} row {rows[0] + 1}",
        )
        for (split, reason), rows in skips.items()
        if split in splits
    ]
    gone = [
        _lost(split, table.num_rows, skips)
        for split, table in raw.splits.items()
        if split not in splits and table.num_rows
    ]
    return raw.with_splits(splits, *gone).with_skips(*found)


def _lost(split: str, rows: int, skips: Mapping[tuple[str, str], Sequence[int]]) -> Note:
    reasons = [
        f"{reason} ({counted(len(found), 'row')})"
        for (of_split, reason), found in skips.items()
        if of_split == split
    ]
    return lost(split, f"no row of {split} can be used: {', '.join(reasons)}", rows)


def blank(table: pa.Table, columns: Sequence[str]) -> list[str | None]:
    """A fault for rows whose text is missing or blank in one of ``columns``."""
    result: list[str | None] = []
    for piece in in_windows(table.select(list(columns))):
        found: list[str | None] = [None] * piece.num_rows
        for name in columns:
            for row, text in enumerate(piece[name].to_pylist()):
                found[row] = fault_of_text(text, name) or found[row]
        result += found
    return result


def fault_of_text(value: Any, name: str) -> str | None:
    """Return why a cell of the column ``name`` is no text to learn, or ``None``."""
    if isinstance(value, bytes):
        return f"{name} is bytes that are not texts in UTF-8"
    return f"{name} is empty" if value is None or not str(value).strip() else None


def empty_texts(table: pa.Table, columns: Sequence[str]) -> list[Note]:
    """Return notes on rows to predict from whose text is missing or blank."""
    notes = []
    for name in columns:
        if empty := sum(fault is not None for fault in blank(table, [name])):
            why = "empty texts have a prediction that means nothing"
            notes.append(Note(why, plain(name, 60), rows=empty))
    return notes


def text_column(table: pa.Table, name: str) -> pa.Array:
    """Return a column as texts; what is missing is empty."""
    return pa.array(texts_in(table, [name]), pa.string())


def texts_in(table: pa.Table, columns: Sequence[str]) -> Iterator[str]:
    """The texts of one column after the other; what is missing is empty."""
    for name in columns:
        for piece in in_windows(table.select([name])):
            yield from ("" if text is None else str(text) for text in piece[name].to_pylist())


def some_of(table: pa.Table) -> pa.Table:
    """A few thousand rows at most, evenly spread, that stand for all."""
    return Rows(table).take(np.arange(0, table.num_rows, table.num_rows // SOME + 1))


def joined_texts(table: pa.Table, columns: Sequence[str]) -> list[str]:
    """The texts of each row; two are joined by a bar."""
    parts = [map(str, table[name].to_pylist()) for name in columns if name]
    return [" | ".join(texts) for texts in zip(*parts, strict=True)]
