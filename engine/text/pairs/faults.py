"""Rows from which no embedding can be learned: empty texts, equal texts, unusable scores."""

from __future__ import annotations

import pyarrow as pa

from engine.data.on_disk import in_windows
from engine.files.sanitize import plain
from engine.text.numbers_of import numbers_of
from engine.text.pairs.columns import PairColumns
from engine.text.pairs.score_scale import ScoreScale
from engine.text.rows import blank


def pair_faults(
    table: pa.Table, columns: PairColumns, scale: ScoreScale | None
) -> list[str | None]:
    """Return for each row what is wrong with it, or none."""
    texts = [columns.anchor, *columns.passages]
    missing = [name for name in texts if name not in table.column_names]
    if missing:
        return [f"there is no {plain(missing[0], 60)}"] * table.num_rows
    faults = blank(table, texts)
    if scale is None:
        others = _equal(table, columns)
        if columns.judged:
            judged = _denied(table, columns.judged)
            others = [one or other for one, other in zip(judged, others, strict=True)]
    elif columns.score in table.column_names:
        others = _unfit(table, columns.score, scale)
    else:
        others = [f"there is no {plain(columns.score, 60)}"] * table.num_rows
    return [fault or other for fault, other in zip(faults, others, strict=True)]


def _equal(table: pa.Table, columns: PairColumns) -> list[str | None]:
    found: list[str | None] = []
    for piece in in_windows(table.select([columns.anchor, *columns.passages])):
        for row in piece.to_pylist():
            found.append(_fault_of(row, columns))
    return found


def _fault_of(row: dict[str, str | None], columns: PairColumns) -> str | None:
    anchor, positive = row[columns.anchor], row[columns.positive]
    if anchor == positive:
        return f"{plain(columns.anchor, 60)} and {plain(columns.positive, 60)} are the same text"
    for name in columns.negatives:
        if row[name] in (anchor, positive):
            return f"{plain(name, 60)} is the same text as the anchor or the positive"
    return None


def _unfit(table: pa.Table, column: str, scale: ScoreScale) -> list[str | None]:
    name = plain(column, 60)
    return [
        f"{name} is not a number"
        if score is None
        else None
        if score in scale
        else f"{name} is outside {scale.low:g} to {scale.high:g}"
        for score in numbers_of(table, column)
    ]


def _denied(table: pa.Table, column: str) -> list[str | None]:
    """Return the rows that are judged not to belong together, or not at all."""
    name = plain(column, 60)
    if column not in table.column_names:
        return [f"there is no {name}"] * table.num_rows
    return [
        f"{name} is not a number"
        if number is None
        else None
        if number > 0
        else f"{name} is {number:g}: the texts do not belong together"
        for number in numbers_of(table, column)
    ]
