"""Rows that cannot be used are left out, counted and reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from engine.data.raw import TRAIN, RawData, Skip
from engine.errors import DataError

Fault = Callable[[pa.Table], Sequence[str | None]]
"""For each row of a table what is wrong with it, or ``None``."""


def without_faults(raw: RawData, fault: Fault) -> RawData:
    """``raw`` without the rows that have a fault; other splits than train may vanish by it.

    Raises :class:`DataError` when no training row is left.
    """
    splits: dict[str, pa.Table] = {}
    skips: dict[tuple[str, str], list[int]] = {}
    for split, table in raw.splits.items():
        faults = fault(table)
        for row, reason in enumerate(faults, 1):
            if reason is not None:
                skips.setdefault((split, reason), []).append(row)
        kept = [row for row, reason in enumerate(faults) if reason is None]
        if len(kept) < table.num_rows:
            table = table.take(pa.array(kept, pa.int64()))
        if table.num_rows or split == TRAIN:
            splits[split] = table
    if not splits[TRAIN].num_rows:
        reasons = ", ".join(reason for split, reason in skips if split == TRAIN)
        raise DataError(f"No training row can be used: {reasons}.", "Look at the columns chosen.")
    found = [
        Skip(reason, len(rows), f"{split} row {rows[0]}") for (split, reason), rows in skips.items()
    ]
    return RawData(splits, raw.notes, (*raw.skips, *found))


def blank(table: pa.Table, columns: Sequence[str]) -> list[str | None]:
    """A fault for rows whose text is missing or blank in one of ``columns``."""
    result: list[str | None] = [None] * table.num_rows
    for name in columns:
        for row, text in enumerate(table[name].to_pylist()):
            if text is None or not str(text).strip():
                result[row] = f"{name} is empty"
    return result
