"""Objects in the cells of a table, of JSON and Parquet, as a column for each of their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from engine.data.image_record import is_image_record
from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_MOST = 200
"""Values of an object; one with more is rather a table of its own, whose names are values."""
_SHOWN = 3


def flat_objects(raw: RawData) -> RawData:
    """Return data whose objects are columns such as ``user.age``, with a note on each of them."""
    notes = []
    for name in _objects(raw.train):
        own = _names(name, raw.train.schema.field(name).type)
        some = ", ".join(plain(one, 40) for one in own[:_SHOWN]) + " …" * (len(own) > _SHOWN)
        why = f"its objects are read as {counted(len(own), 'column')}: {some}"
        notes.append(Note(why, plain(name, 60), "columns", raw.train.num_rows, kind="converted"))
    if not notes:
        return raw
    return raw.with_splits({name: flat_table(table) for name, table in raw.splits.items()}, *notes)


def flat_table(table: pa.Table) -> pa.Table:
    """Return a table with a column for each value of its objects, in their place."""
    while found := _objects(table):
        names, columns = [], []
        for name in table.column_names:
            column = table[name]
            if name not in found:
                names.append(name)
                columns.append(column)
                continue
            names += [f"{name}.{field.name}" for field in column.type]
            columns += column.flatten()
        table = pa.table(columns, names=names).replace_schema_metadata(table.schema.metadata)
    return table


def flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose objects are values such as ``user.age``."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= flat_row({f"{name}.{key}": part for key, part in value.items()})
        else:
            flat[name] = value
    return flat


def _objects(table: pa.Table) -> list[str]:
    """Return the columns of objects; not images, nor those with names that are taken."""
    return [
        field.name
        for field in table.schema
        if _is_object(field.type)
        and len(own := _names(field.name, field.type)) <= _MOST
        and len({*own, *table.column_names}) == len(own) + table.num_columns
    ]


def _is_object(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and kind.num_fields > 0 and not is_image_record(kind)


def _names(name: str, kind: pa.DataType) -> list[str]:
    """Return the names of the columns of an object."""

    def leaves(name: str, kind: pa.DataType) -> Iterator[str]:
        if not _is_object(kind):
            yield name
            return
        for field in kind:
            yield from leaves(f"{name}.{field.name}", field.type)

    return list(leaves(name, kind))
