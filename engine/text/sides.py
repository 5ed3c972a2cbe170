"""Choice of the source and target columns: by the user's fields, or by name and content."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from engine.data.raw import RawData
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.columns import IDS, by_name, chosen, is_text

_SIDES = (
    ("source", "target"), ("src", "tgt"), ("input", "output"), ("input_text", "target_text"),
    ("article", "highlights"), ("article", "abstract"), ("article", "summary"),
    ("document", "summary"), ("dialogue", "summary"), ("text", "summary"), ("text", "target"),
)  # fmt: skip


def laid_open(raw: RawData) -> RawData:
    """``raw`` with a column for each language, where one column holds them all.

    So the hub keeps translations: a record of texts by language code.
    """
    return raw.with_splits({split: _open(table) for split, table in raw.splits.items()})


def _open(table: pa.Table) -> pa.Table:
    columns: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names:
        parts = _texts_within(table.schema.field(name).type)
        if parts and not set(parts) & {*table.column_names, *columns}:
            columns |= dict(zip(parts, table[name].combine_chunks().flatten(), strict=True))
        else:
            columns[name] = table[name]
    if list(columns) == table.column_names:
        return table
    return pa.table(columns)


def _texts_within(kind: pa.DataType) -> list[str]:
    """Names of the fields of a record that holds nothing but texts."""
    if not pa.types.is_struct(kind):
        return []
    fields = [kind.field(index) for index in range(kind.num_fields)]
    texts = all(
        pa.types.is_string(field.type) or pa.types.is_large_string(field.type) for field in fields
    )
    return [field.name for field in fields] if texts else []


def sides(table: pa.Table, source: str, target: str) -> tuple[str, str]:
    """The columns of sources and targets; an empty name is found. Raises :class:`DataError`."""
    for name, field in ((source, "task.source"), (target, "task.target")):
        if name:
            chosen(table, name, field)
    found = (source, target) if source and target else _found(table, source, target)
    if found[0] == found[1]:
        raise DataError(f"task.target: {plain(found[0], 60)!r} is the source already.")
    return found


def _found(table: pa.Table, source: str, target: str) -> tuple[str, str]:
    for pair in _SIDES:
        first, second = source or by_name(table, pair[:1]), target or by_name(table, pair[1:])
        # One side that was chosen is not joined with just any column called like the other.
        if first and second and first != second and _go_together(pair, source, target):
            return first, second
    texts = [name for name in table.column_names if is_text(table, name)]
    left = [name for name in texts if name not in (source, target) and not IDS.fullmatch(name)]
    if source and len(left) == 1:
        return source, left[0]
    if target and len(left) == 1:
        return left[0], target
    if not source and not target and len(left) == 2:
        return left[0], left[1]
    raise DataError(*_question(left))


def _go_together(pair: Sequence[str], source: str, target: str) -> bool:
    return source.lower() in ("", pair[0]) and target.lower() in ("", pair[1])


def _question(left: Sequence[str]) -> tuple[str, str]:
    shown = ", ".join(plain(name, 40) for name in left) or "none left"
    return (
        f"Which columns hold the sources and the targets? Texts are in {shown}.",
        "Set task.source and task.target.",
    )


def texts_of(table: pa.Table, column: str) -> list[str]:
    """The values of a column as texts; what is missing is empty."""
    return ["" if value is None else str(value) for value in table[column].to_pylist()]
