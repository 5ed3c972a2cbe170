"""Notes on columns of a table that are read otherwise than they are written, or left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.data.tables.categories import TRUTH
from engine.data.tables.clocks import clock_reading
from engine.data.tables.number_format import shortened, units_of
from engine.data.tables.schema import Column, NumberFormat
from engine.data.tables.values import numbers, tidy, words_for_missing
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

Change = Callable[[str, str], str]
"""The setting that gives the column of a name another type, by name and type."""

_FEW = 5
"""Columns that are left out for one reason, from which on they share a note."""
_READ_AS = {"numeric": "numbers", "date": "dates", "categorical": "categories"}
_NO_NEWS = "by choice"
_LOOKED_AT = 1000
"""Rows among which an example is looked for."""
_SEARCHED = 100_000
"""Rows in which words for missing values are looked for."""


def column_notes(
    columns: Iterable[Column], used: set[str], table: pa.Table, change: Change
) -> Iterator[Note]:
    """Yield notes on the ``columns`` of the training rows; those in ``used`` are inputs."""
    left_out: dict[str, list[Column]] = {}
    for column in columns:
        if column.name in used:
            yield from _converted(column, table[column.name], change)
        elif (reason := column.reason or "always the same") != _NO_NEWS:
            left_out.setdefault(reason, []).append(column)
    for reason, alike in left_out.items():
        yield from _left_out(reason, alike, table.num_rows, change)


def _converted(column: Column, values: pa.ChunkedArray, change: Change) -> Iterator[Note]:
    name = plain(column.name, 60)
    as_text, rows = change(column.name, "categorical"), len(values) - column.missing
    # Whole numbers have no mark, whatever that of their file is.
    marked = column.number_format != NumberFormat() and not pa.types.is_integer(values.type)
    if column.type == "numeric" and (marked or column.number_format.clock):
        why = f"numbers are written like {column.number_format.example}{_example(column, values)}"
        if column.number_format.clock:
            why = clock_reading(values.type)
        yield Note(why, name, "numbers", rows, as_text, "converted")
    if column.type == "numeric" and (unit := _unit(column, values)):
        yield Note(f"the unit {unit} is left out", name, "numbers", rows, as_text, "converted")
    if column.type == "numeric" and (short := _short(column, values)):
        yield Note(short, name, "numbers", rows, as_text, "converted")
    if column.type == "numeric" and _has_truths(values):
        yield Note("true is read as 1, false as 0", name, "numbers", rows, as_text, "converted")
    if column.type == "date" and column.date_format not in ("", "ISO8601") and not column.doubt:
        why = f"dates are read in the format {column.date_format}, such as {column.example}"
        yield Note(why, name, "dates", rows, as_text, "converted")
    if column.type == "list":
        how = f"cells are lists, separated by {column.separator!r}" if column.separator else "lists"
        why = f"{how}; each of {counted(len(column.items), 'frequent item')} is a number"
        yield Note(why, name, "items", rows, as_text, "converted")
    if column.type in ("text", "id"):
        why = "free text, by its words and what they say of the target, out of fold"
        if column.type == "id":
            why = f"{column.distinct:,} ids, by what they say of the target, out of fold"
        yield Note(why, name, "scores", rows, change(column.name, "ignored"), "converted")
    if column.missing and not column.as_written and (words := _words(values)):
        why = f"{words} counts as missing"
        yield Note(why, name, "missing", column.missing, change(column.name, "text"), "converted")
    if column.missing and (infinite := _infinite(values)):
        yield Note("infinite numbers count as missing", name, "missing", infinite, kind="converted")
    if column.doubt:
        yield Note(column.doubt, name, _READ_AS[column.type], rows, change(*_otherwise(column)))


def _has_truths(values: pa.ChunkedArray) -> bool:
    if not pa.types.is_string(values.type):
        return False
    words = pc.is_in(pc.utf8_lower(pc.unique(values)), value_set=pa.array(list(TRUTH)))
    return bool(pc.any(words).as_py())


def _otherwise(column: Column) -> tuple[str, str]:
    """Return the column with the example of a type that settles its doubt."""
    if column.type == "date":
        return column.name, '"date %d/%m/%Y"'
    return column.name, '"numeric 1.234,5"' if "thousands" in column.doubt else "text"


def _example(column: Column, values: pa.ChunkedArray) -> str:
    """Return words on the first value that is a number in the format of its column."""
    few = values.slice(0, _LOOKED_AT)
    read = np.isfinite(numbers(few, column.number_format))
    return f", such as {plain(few[int(read.argmax())].as_py(), 40)}" if read.any() else ""


def _unit(column: Column, values: pa.ChunkedArray) -> str:
    """Return the unit of the first numbers, if it is that of all; several are a doubt."""
    few = values.slice(0, _LOOKED_AT)
    if not pa.types.is_string(few.type) or column.number_format.clock:
        return ""
    read = few.filter(pa.array(np.isfinite(numbers(few, column.number_format))))
    units = units_of(pc.unique(read).to_pylist())
    return plain(units[0], 10) if len(units) == 1 else ""


def _short(column: Column, values: pa.ChunkedArray) -> str:
    """Return how the first number with a letter for its size is read; empty where none has one."""
    if not pa.types.is_string(values.type):
        return ""
    few = tidy(values.slice(0, _LOOKED_AT)).drop_null()
    return shortened(few.to_pylist(), column.number_format)


def _infinite(values: pa.ChunkedArray) -> int:
    """Return the number of infinite values."""
    if not pa.types.is_floating(values.type) or pa.types.is_float16(values.type):
        return 0
    return int(pc.sum(pc.is_inf(values)).as_py() or 0)


def _words(values: pa.ChunkedArray) -> str:
    """Return the words of the first rows that count as missing."""
    words = words_for_missing(values.slice(0, _SEARCHED))
    return ", ".join(repr(plain(word, 20)) for word in words[:4])


def _left_out(reason: str, columns: Sequence[Column], rows: int, change: Change) -> Iterator[Note]:
    if len(columns) < _FEW:
        for column in columns:
            setting = _useful_type(column)
            yield Note(
                reason,
                plain(column.name, 60),
                rows=rows - column.missing,
                change=change(column.name, setting) if setting else "",
                kind="dropped",
            )
        return
    some = ", ".join(plain(column.name, 40) for column in columns[: _FEW - 1])
    yield Note(
        f"{reason}: {some} and {len(columns) - _FEW + 1:,} more",
        counted(len(columns), "column"),
        rows=rows,
        kind="dropped",
    )


def _useful_type(column: Column) -> str:
    """Return the type with which the column would be used; empty where it has nothing to tell."""
    if column.type in ("image", "list") or column.reason in ("empty", "always the same", ""):
        return ""
    return "words" if "differs" in column.reason else "numeric"
