"""Views of texts and bytes, as Polars writes them, as the types that all of Arrow computes with.

Rows of a ``string_view`` cannot even be chosen by their numbers.
"""

from __future__ import annotations

import pyarrow as pa

_PLAIN = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def without_views(schema: pa.Schema) -> pa.Schema:
    """Return the schema of the same values without views, at whatever level they are."""
    fields = [field.with_type(_plain(field.type)) for field in schema]
    return pa.schema(fields, metadata=schema.metadata)


def cast_views(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table in the ``schema`` that is its own :func:`without_views`.

    Other columns stay as they are: Arrow refuses to cast a list of objects with a part of type null
    to the very type that it has.
    """
    columns = [
        column if column.type == field.type else _cast(column, field.type)
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    cast = column.cast(kind)
    try:
        cast.validate()
    except pa.ArrowInvalid:  # a part of type null in objects beside the view
        chunks = [pa.array(chunk.to_pylist(), kind) for chunk in column.chunks]
        return pa.chunked_array(chunks, kind)
    return cast


def _plain(kind: pa.DataType) -> pa.DataType:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _plain(kind.value_type), kind.ordered)
    if pa.types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type), kind.keys_sorted)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_item(kind), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(_item(kind))
    if pa.types.is_large_list(kind):
        return pa.large_list(_item(kind))
    return kind


def _item(kind: pa.DataType) -> pa.Field:
    item: pa.Field = kind.value_field
    return item.with_type(_plain(item.type))
