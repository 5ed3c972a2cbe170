"""Columns of numbers that a file has as texts, converted once for all that reads them after."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from engine.data.raw import decimal_mark_of, has_other_format
from engine.data.tables.plain_numbers import plain_numbers
from engine.data.tables.schema import Column
from engine.data.tables.values import tidy


def with_plain_numbers(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Return a table in which numeric ``columns`` are float64 where all their texts are plain.

    Other columns stay texts, and all do where the marks of the file may mean something else than
    in training: notes are on what was written.
    """
    mark = decimal_mark_of(table)
    if has_other_format(table) or mark not in ("", "."):
        return table
    written = {
        column.name: column.number_format
        for column in columns
        if column.type == "numeric" and pa.types.is_string(table[column.name].type)
    }

    def read(name: str) -> pa.ChunkedArray | None:
        numbers = plain_numbers(table[name], written[name])
        if numbers is None:  # such as where some are missing
            numbers = plain_numbers(tidy(table[name]), written[name])
        return numbers

    with ThreadPoolExecutor() as pool:
        found = dict(zip(written, pool.map(read, written), strict=True))
    parts = [
        part if (numbers := found.get(name)) is None else numbers
        for name, part in zip(table.column_names, table.columns, strict=True)
    ]
    converted = pa.table(parts, names=table.column_names)
    return converted.replace_schema_metadata(table.schema.metadata)
