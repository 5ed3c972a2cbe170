"""Files of Weka and OpenML (``.arff``): declared columns, and a line a row, also sparse ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from engine.data.readers.arff_cells import Cells, MalformedCellsError, dense_cells, sparse_cells
from engine.data.readers.arff_header import Attribute, Nominal, read_header
from engine.data.readers.java_dates import date_column
from engine.data.readers.reading import Reading, ReadOptions
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_WHOLE_DIGITS = 18
"""Whole numbers of more digits are read as floats, as int64 does not hold all of them."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The cells of all rows, with what tells them apart in messages."""

    cells: list[Cells]
    lines: list[int]
    weights: int
    """Rows with a weight behind their cells."""
    sparse: int


def read_arff(path: Path, text: str, options: ReadOptions) -> Reading:
    """Return the table with notes. Nominal columns are dictionaries: their values are categories.

    ``?`` is a missing value unless it is quoted. A sparse row has 0, or the first declared value of
    a nominal column, where it says nothing. Raises :class:`DataError` that names the line.
    """
    attributes, lines = read_header(path, text)
    rows = _read_rows(path, attributes, lines)
    if not rows.cells:
        return Reading(pa.table({}))
    columns, notes = [], [*_row_notes(path, attributes, rows)]
    for attribute, cells in zip(attributes, zip(*rows.cells, strict=True), strict=True):
        kept = options.keeps(attribute.name)
        column, own = _column(path, attribute, cells, rows.lines, kept)
        columns.append(column)
        notes += own
    table = pa.table(columns, [attribute.name for attribute in attributes])
    numeric = {attribute.name for attribute in attributes if attribute.kind == "numeric"}
    texts = {field.name for field in table.schema if pa.types.is_string(field.type)}
    return Reading(table, tuple(notes), numbers=frozenset(numeric & texts))


def _read_rows(
    path: Path, attributes: Sequence[Attribute], lines: Iterator[tuple[int, str]]
) -> _Rows:
    absent = [attribute.absent for attribute in attributes]
    rows = _Rows([], [], 0, 0)
    weights = sparse = 0
    for number, line in lines:
        try:
            read = sparse_cells(line, absent) if line[0] == "{" else dense_cells(line)
        except MalformedCellsError as error:
            raise DataError(f"Line {number:,} of {plain(path.name)} {error}.") from None
        if len(read.cells) != len(attributes):
            found = counted(len(read.cells), "cell")
            raise DataError(
                f"Line {number:,} of {plain(path.name)}: {found} instead of {len(attributes)}.",
                "Each row has a cell for each @attribute; cells with a comma are quoted.",
            )
        weights += read.weighted
        sparse += line[0] == "{"
        rows.cells.append(read.cells)
        rows.lines.append(number)
    return _Rows(rows.cells, rows.lines, weights, sparse)


def _row_notes(path: Path, attributes: Sequence[Attribute], rows: _Rows) -> Iterator[Note]:
    name = plain(path.name, 60)
    if rows.sparse:
        why = f"{name} has sparse rows: numbers that they leave out are 0"
        if any(isinstance(attribute.kind, Nominal) for attribute in attributes):
            why += ", categories the first that is declared"
        yield Note(why, read_as="0", rows=rows.sparse, kind="converted")
    if rows.weights:
        yield Note(f"{name}: weights of rows are not used", rows=rows.weights, kind="dropped")


def _column(
    path: Path, attribute: Attribute, cells: Sequence[str | None], lines: list[int], kept: bool
) -> tuple[pa.Array, list[Note]]:
    """Return one column, as texts if they are to be ``kept``, and notes on it."""
    if isinstance(attribute.kind, Nominal):
        notes = [*_undeclared(attribute.name, attribute.kind.values, cells)]
        texts = pa.array(cells, pa.string())
        return texts if kept else texts.dictionary_encode(), notes
    if attribute.kind == "date":  # the same moments in whatever format a file declares
        moments, notes = date_column(attribute.name, attribute.date_format, cells)
        return moments.cast(pa.string()) if kept else moments, notes
    if kept or attribute.kind == "string":
        return pa.array(cells, pa.string()), []
    return _numbers(path, attribute.name, cells, lines), []


def _undeclared(name: str, declared: Sequence[str], cells: Sequence[str | None]) -> Iterator[Note]:
    """Yield a note on values of a nominal column that its declaration does not have."""
    counts = Counter(cells)
    others = {value: counts[value] for value in counts if value not in {None, *declared}}
    if others:
        some = ", ".join(repr(plain(value, 20)) for value in list(others)[:3])
        more = ", …" if len(others) > 3 else ""
        why = f"values that are not declared, such as {some}{more}, are categories of their own"
        yield Note(why, plain(name, 60), "categories", sum(others.values()))


def _numbers(path: Path, name: str, cells: Sequence[str | None], lines: Sequence[int]) -> pa.Array:
    """Return whole numbers where all are written so, else floats."""
    texts = pa.array(cells, pa.string())
    longest = max((len(cell) for cell in cells if cell), default=0)
    try:
        return texts.cast(pa.int64() if longest <= _WHOLE_DIGITS else pa.float64())
    except pa.ArrowInvalid:
        pass
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return pa.array([
            None if cell is None else _number(path, name, cell, line)
            for cell, line in zip(cells, lines, strict=True)
        ], pa.float64())  # fmt: skip


def _number(path: Path, name: str, cell: str, line: int) -> float:
    try:
        return float(cell)
    except ValueError:
        problem = f"Line {line:,} of {plain(path.name)}: {plain(cell, 40)!r} is not a number, as "
        raise DataError(
            f"{problem}{plain(name, 60)!r} is declared to be.",
            "Correct the cell, or declare the column as string.",
        ) from None
