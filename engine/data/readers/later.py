"""Files that are read like one before them: a shard, another split, rows to predict from."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.data.fitted import FileFormat
from engine.data.raw import with_other_format
from engine.data.readers.base import read_file
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note


def read_later(
    path: Path, options: ReadOptions, format: str, known: FileFormat | None, names: Sequence[str]
) -> Reading:
    """Read a file in a format that is ``known``, with columns that have ``names``.

    A file that has none of these columns in that format is read in its own; if it has no header but
    as many columns, they are taken in order. Raises :class:`DataError`.
    """
    if known is None:
        return read_file(path, options, format)
    with contextlib.suppress(DataError):
        reading = read_file(path, options.like(known), format)
        if not set(names).isdisjoint(reading.table.column_names):
            return reading
    reading = read_file(path, replace(options, delimiter=""), format)
    table = with_other_format(reading.table)
    reading = replace(reading, table=table)
    headless = reading.format is not None and reading.format.header == "no"
    if known.header == "no" or not headless or reading.table.num_columns != len(names):
        return reading
    noted = f"{plain(path.name)} has no header; its columns are taken in the order of the others"
    renamed = table.rename_columns(list(names)).replace_schema_metadata(table.schema.metadata)
    return replace(reading, table=renamed, notes=(Note(noted, change="data.header"),))
