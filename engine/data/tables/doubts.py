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
        form = column.date_format if column.type == "date" else column.number_format.example
        read_as = f"{column.type} {plain(form, 40)}"
        change = f"data.columns.{name}"
        if column.unread:
            what = "dates" if column.type == "date" else "numbers"
            yield Note(
                f"{name}: {column.unread:,} values are not {what} such as the others ({form}) and "
                f"count as missing, the first {column.unread_example!r}",
                name, read_as, column.unread, change, "dropped",
            )  # fmt: skip
        if column.doubt:
            yield Note(f"{name}: {column.doubt}", name, read_as, change=change)
