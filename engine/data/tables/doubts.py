"""Notes on how columns of a table were read: values that are lost, assumptions that were made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.data.tables.schema import Column
from engine.files.sanitize import plain
from engine.reports.note import Note


def doubts(columns: Iterable[Column]) -> Iterator[Note]:
    """Yield a note on each column whose reading may be other than it was meant."""
    for column in columns:
        name = plain(column.name, 60)
        setting = f"data.columns.{name}"
        if column.unread:
            why = f"not {_kind(column)}; counted as missing, the first {column.unread_example!r}"
            yield Note(why, name, column.type, column.unread, f"{setting}=text", "dropped")
        if column.doubt:
            yield Note(column.doubt, name, column.type, change=f"{setting}={_others(column)}")


def _kind(column: Column) -> str:
    if column.type == "date":
        return f"dates as the others are ({plain(column.date_format, 40)})"
    return f"numbers such as {column.number_format.example}"


def _others(column: Column) -> str:
    """Return another setting of a column, as an example."""
    if column.type == "date":
        return '"date %d/%m/%Y"'
    return '"numeric 1.234,5"' if column.number_format.grouping else "text"
