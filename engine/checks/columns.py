"""Columns of a table that carry no information, or an identifier in place of it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from engine.checks.examined import Doubt, Examined, Limit
from engine.data.tables.schema import Column
from engine.data.tables.values import tidy
from engine.files.sanitize import plain
from engine.reports.counted import counted

_NEARLY_ALL = 0.99
_FEW_ROWS = 50
_SHOWN = 8
_CONSTANT = ("always the same", "empty")
_IDENTIFIER = ("counts the rows", "nearly every row differs")


def constant_columns(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield columns that are always the same, or nearly so."""
    yield from _left_out(data, "constant", _CONSTANT)
    for column in data.columns:
        doubt = _nearly_constant(data.train[column.name], column)
        if doubt is not None:
            yield doubt


def identifiers(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield columns whose values are different in (nearly) every row."""
    if data.roles.ordered:
        return
    yield from _left_out(data, "identifier", _IDENTIFIER)
    rows = data.train.num_rows
    for column in data.columns:
        whole = pa.types.is_integer(data.train.schema.field(column.name).type)
        dense = whole and _is_dense(data.train[column.name])
        rare = column.type == "categorical" and column.distinct > rows / 4
        if rows >= _FEW_ROWS and ((dense and column.distinct == data.different) or rare):
            why = f"{column.distinct:,} different values in {counted(rows, 'training row')}, like "
            why += "an identifier: it is learned by heart"
            yield Doubt("identifier", why, column.name, remedies=("drop column",))


def _left_out(data: Examined, kind: str, reasons: tuple[str, ...]) -> Iterator[Doubt]:
    found = [column for column in data.roles.columns if column.reason in reasons]
    if found:
        named = ", ".join(f"{plain(c.name, 40)} ({c.reason})" for c in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        yield Doubt(kind, f"left out already: {named}{more}")


def _nearly_constant(values: pa.ChunkedArray, column: Column) -> Doubt | None:
    missing = column.missing / max(1, len(values))
    if missing >= _NEARLY_ALL:
        why = f"missing in {missing:.1%} of the training rows"
        return Doubt("nearly constant", why, column.name, remedies=("drop column",))
    modes = pc.value_counts(tidy(values, column.as_written).combine_chunks())
    if len(modes) == 0:
        return None
    most = modes[int(pc.index(modes.field("counts"), pc.max(modes.field("counts"))).as_py())]
    share = most["counts"].as_py() / max(1, len(values))
    if share < _NEARLY_ALL or most["values"].as_py() is None:
        return None
    why = f"{plain(most['values'].as_py(), 40)!r} in {share:.1%} of the training rows"
    return Doubt("nearly constant", why, column.name, remedies=("drop column",))


def _is_dense(values: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(values).as_py()
    if bounds["min"] is None:
        return False
    return bool(bounds["max"] - bounds["min"] < 3 * len(values))
