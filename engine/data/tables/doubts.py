"""Notes on how columns of a table were read: values that are lost, assumptions that were made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.data.tables.schema import Column
from engine.files.sanitize import plain


def doubts(columns: Iterable[Column]) -> Iterator[str]:
    """Yield a note on each column whose reading may be other than it was meant."""
    for column in columns:
        name = plain(column.name, 60)
        if column.unread:
            yield (
                f"{name}: {column.unread:,} values are not {_kind(column)} and count as missing, "
                f"the first {column.unread_example!r}"
            )
        if column.doubt:
            yield f"{name}: {column.doubt}"


def _kind(column: Column) -> str:
    if column.type == "date":
        return f"dates as the others are ({plain(column.date_format, 40)})"
    return f"numbers such as {column.number_format.example}"
