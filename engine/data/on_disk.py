"""Tables that are too large for memory: written to a file without a name, and mapped from it.

Such a file is deleted with the process that created it. Mapped pages stay in memory only as long as
no other process needs it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import DataError
from engine.files.paths import cache_folder

N = TypeVar("N", bound=np.generic)

LARGE = 1 << 27
"""Tables of more bytes than this are memory-mapped."""
WINDOW = 8192
"""Rows that are in memory at a time while others are written."""
_GATHERED = 1 << 25
"""Bytes of rows that are."""


def mapped(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Write all batches to one memory-mapped table; raises :class:`DataError` for a full disk."""
    with _file_without_name() as name:
        with pa.OSFile(name, "wb") as out, pa.ipc.new_stream(out, schema) as stream:
            for batch in batches:
                stream.write_batch(batch)
        return pa.ipc.open_stream(pa.memory_map(name)).read_all()


def table_of(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """All batches as one table, on the disk from where they become too many on."""
    batches = iter(batches)
    first, size = [], 0
    for batch in batches:
        first.append(batch)
        size += batch.nbytes
        if size > LARGE:
            return mapped(itertools.chain(first, batches), schema)
    return pa.Table.from_batches(first, schema)


def put_aside(table: pa.Table) -> pa.Table:
    """Return the table memory-mapped, unless it is large and mapped already."""
    return table if table.nbytes > LARGE else mapped(table.to_batches(), table.schema)


def end_to_end(arrays: Sequence[NDArray[N]]) -> NDArray[N]:
    """Rows of numbers one after the other, on the disk where they are many."""
    if sum(array.nbytes for array in arrays) <= LARGE:
        return np.concatenate(arrays)
    with _file_without_name() as name:
        with Path(name).open("wb") as file:
            for array in arrays:
                array.tofile(file)
        return np.memmap(name, arrays[0].dtype, mode="c")


def filled(
    shape: tuple[int, ...], kind: type[N], pieces: Iterable[NDArray[N]], apart: bool
) -> NDArray[N]:
    """Return an array of the rows in ``pieces``; ``apart`` memory-maps it."""
    if not apart or 0 in shape:
        result = np.empty(shape, kind)
        end = 0
        for piece in pieces:
            begin, end = end, end + len(piece)
            result[begin:end] = piece
        return result
    with _file_without_name() as name:
        with Path(name).open("wb") as file:
            for piece in pieces:
                np.ascontiguousarray(piece, kind).tofile(file)
        return np.memmap(name, kind, mode="c", shape=shape)


def selected(table: pa.Table, chosen: NDArray[np.bool_]) -> pa.Table:
    """The rows that are marked, in their order; on the disk where all of them are."""

    def parts() -> Iterator[pa.RecordBatch]:
        end = 0
        for batch in table.to_batches():
            begin, end = end, end + len(batch)
            if (part := chosen[begin:end]).any():
                yield batch if part.all() else batch.filter(pa.array(part))

    if table.nbytes > LARGE:
        return mapped(parts(), table.schema)
    return pa.Table.from_batches(parts(), table.schema)


def evenly(table: pa.Table, most: int) -> pa.Table:
    """Return at most ``most`` rows, evenly spread."""
    if table.num_rows <= most:
        return table
    return Rows(table).take(np.arange(0, table.num_rows, -(-table.num_rows // most)))


@contextmanager
def _file_without_name() -> Iterator[str]:
    """A file to write and to map; the mapping outlives the name, which goes in any case."""
    folder = cache_folder() / "tables"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            yield file.name
    except OSError as error:
        raise DataError(
            f"Cannot write {folder}: {error.strerror or error}.",
            "Free some space, or set DLTUI_HOME to a folder where you may write.",
        ) from error


class Rows:
    """Rows of a table by their numbers.

    ``Table.take`` first puts all chunks of a column together: a copy of the whole for a few rows.
    """

    def __init__(self, table: pa.Table) -> None:
        self._schema = table.schema
        self._batches = table.to_batches()
        self._begins = np.cumsum([0, *map(len, self._batches)])
        self._row_bytes = table.nbytes / max(1, table.num_rows)

    def take(self, rows: NDArray[np.int64]) -> pa.Table:
        """The rows with these numbers in this order; on the disk where they are many."""
        if len(rows) * self._row_bytes > LARGE:
            return mapped(self._windows(rows), self._schema)
        return pa.Table.from_batches(self._gathered(rows), self._schema)

    def _windows(self, rows: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
        # Rows in random order touch every batch in every window: few and large ones are faster.
        window = max(WINDOW, int(_GATHERED / self._row_bytes))
        for begin in range(0, len(rows), window):
            yield from self._gathered(rows[begin : begin + window])

    def _gathered(self, rows: NDArray[np.int64]) -> list[pa.RecordBatch]:
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        bounds = np.searchsorted(ordered, self._begins)
        touched = np.flatnonzero(np.diff(bounds))
        parts = [
            self._batches[i].take(pa.array(ordered[bounds[i] : bounds[i + 1]] - self._begins[i]))
            for i in touched
        ]
        if (np.diff(order) > 0).all():
            return parts
        together = pa.Table.from_batches(parts, self._schema)
        back = pa.array(np.argsort(order, kind="stable"))
        batches: list[pa.RecordBatch] = together.take(back).to_batches()
        return batches


def in_windows(table: pa.Table, rows: int = WINDOW) -> Iterator[pa.Table]:
    """Yield slices of a table that are small enough to be converted to Python objects."""
    for begin in range(0, table.num_rows, rows):
        yield table.slice(begin, rows)
