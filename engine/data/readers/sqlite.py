"""Databases of SQLite: the rows of one table, read without changing the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from engine.data.readers.reading import INCOMPLETE, Reading, ReadOptions
from engine.data.readers.several_tables import one_of
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

_HEAD = b"SQLite format 3\0"
_NAMES = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
_AT_ONCE = 1 << 16
"""Rows that are fetched at a time."""


def read_sqlite(path: Path, options: ReadOptions) -> Reading:
    """Return the rows of the table, or view, that is chosen, or of the only table.

    Raises :class:`DataError`.
    """
    with path.open("rb") as file:
        if file.read(len(_HEAD)) != _HEAD:
            raise DataError(
                f"{plain(path.name)} is not a database of SQLite.",
                "It may be of another program, or encrypted.",
            )
    try:
        with closing(_opened(path)) as connection:
            table = _table(path, connection, options)
    except sqlite3.Error as error:
        problem = f"{plain(path)} is not a readable database: {plain(error).rstrip('.')}."
        raise DataError(problem, INCOMPLETE) from error
    return _texts_where_mixed(table, options)


def _opened(path: Path) -> sqlite3.Connection:
    """Open a database so that nothing is written, not even the files beside it."""
    # What a program has written lately may be in a file beside, which only SQLite can put in place.
    beside = any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal"))
    mode = "mode=ro" if beside else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?{mode}", uri=True)


def _table(
    path: Path, connection: sqlite3.Connection, options: ReadOptions
) -> dict[str, list[pa.Array]]:
    """Return the columns of the chosen table in pieces of one type each."""
    found = connection.execute(_NAMES).fetchall()
    own = [name for name, kind in found if kind == "table" and not name.startswith("sqlite_")]
    views = [name for name, kind in found if kind == "view"]
    wanted = options.table.strip()
    name = wanted if wanted in views else one_of(path, "table", own, options)
    quoted = name.replace('"', '""')
    cursor = connection.execute(f'SELECT * FROM "{quoted}"')
    columns: list[list[pa.Array]] = [[] for _ in cursor.description]
    while rows := cursor.fetchmany(_AT_ONCE):
        for pieces, values in zip(columns, zip(*rows, strict=True), strict=True):
            pieces += _pieces(values)
    return {entry[0]: pieces for entry, pieces in zip(cursor.description, columns, strict=True)}


def _pieces(values: Sequence[Any]) -> Iterator[pa.Array]:
    """Yield values as an array, or one array of each run of a type where they are mixed."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int} or len(kinds) <= 1:
        yield pa.array(values)
        return
    begin, kind = 0, type(None)
    for place, value in enumerate([*values, None]):
        own = type(value)
        if place == len(values) or (own is not type(None) and kind not in (type(None), own)):
            yield pa.array(values[begin:place])
            begin, kind = place, own
        elif own is not type(None):
            kind = own


def _texts_where_mixed(table: dict[str, list[pa.Array]], options: ReadOptions) -> Reading:
    """Return columns of one type each: floats for numbers, texts for texts and numbers."""
    columns, notes, numbers = {}, [], set()
    for name, pieces in table.items():
        kinds = {piece.type for piece in pieces} - {pa.null()}
        texts = pa.string() in kinds and len(kinds) > 1
        if len(kinds) > 1 and pa.binary() in kinds:
            raise DataError(f"The column {plain(name, 60)!r} has bytes beside other values.")
        if texts:
            beside = sum(len(p) - p.null_count for p in pieces if p.type != pa.string())
            why = "numbers beside texts: the database has values of several types in the column"
            notes.append(Note(why, plain(name, 60), "texts", beside))
        kind = pa.string() if texts else pa.float64() if len(kinds) > 1 else [*kinds, pa.null()][0]
        if options.keeps(name) and kind != pa.binary():
            numbers.update([name] * pa.types.is_primitive(kind))
            kind = pa.string()
        columns[name] = pa.chunked_array([piece.cast(kind) for piece in pieces], kind)
    return Reading(pa.table(columns), tuple(notes), numbers=frozenset(numbers))
