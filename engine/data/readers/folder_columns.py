"""Columns that the names of folders hold, as in ``city=Paris/part-0.parquet``.

Spark, DuckDB, Polars and Arrow divide tables like this, and leave the column out of the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from engine.data.readers.reading import Reading
from engine.files.sanitize import plain
from engine.reports.note import Note

_MISSING = "__HIVE_DEFAULT_PARTITION__"
"""The folder of rows without a value."""


def with_folder_columns(
    readings: Sequence[Reading], paths: Sequence[Path]
) -> tuple[list[Reading], list[Note]]:
    """Return the tables with the columns that their folders name, as texts, and notes on these.

    ``paths`` are those of the files below the folder of the data. A column that a file has itself
    stays as it is.
    """
    rows: Counter[str] = Counter()
    examples: dict[str, str] = {}
    result = []
    for reading, path in zip(readings, paths, strict=True):
        table = reading.table
        for name, (value, folder) in _named(path).items():
            if name not in table.column_names:
                table = table.append_column(name, pa.repeat(value, table.num_rows))
                rows[name] += table.num_rows
                examples.setdefault(name, folder)
        result.append(replace(reading, table=table))
    notes = [
        Note(
            f"the names of the folders have this column, such as {plain(examples[name], 60)}",
            plain(name, 60),
            "text",
            count,
            kind="converted",
        )
        for name, count in rows.items()
    ]
    return result, notes


def _named(path: Path) -> dict[str, tuple[pa.Scalar, str]]:
    """Return the value of each column that a folder of the path names, and this folder."""
    found = {}
    for folder in path.parts[:-1]:
        name, mark, written = folder.partition("=")
        if mark and (name := unquote(name).strip()):
            value = None if written == _MISSING else unquote(written)
            found[name] = (pa.scalar(value, pa.string()), folder)
    return found
