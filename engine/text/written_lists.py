"""Columns of lists that a table holds as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from engine.data.written_value import written_value
from engine.text.columns import is_text

_FIRST = 100
"""Texts that show whether a column may hold lists."""


def listed(value: Any) -> Sequence[Any] | None:
    """Return a list, or the list that a text is the notation of; ``None`` for anything else."""
    if isinstance(value, list | tuple):
        return value
    content = written_value(value) if isinstance(value, str) else None
    return content if isinstance(content, list) else None


def with_lists(table: pa.Table, names: tuple[str, ...]) -> pa.Table:
    """Return the table with lists in the columns of ``names`` that hold lists written as text.

    A text that is none among lists becomes a missing value.
    """
    for name in names:
        if name not in table.column_names or not is_text(table, name):
            continue
        lists = _lists(table[name].to_pylist())
        if lists is not None:
            column = pa.array(lists, pa.list_(pa.string()))
            table = table.set_column(table.column_names.index(name), name, column)
    return table


def _lists(values: list[str | None]) -> list[list[str] | None] | None:
    """Return the lists that most of the texts are the notation of; others are missing."""
    texts = [text for text in values if text]
    if not any(map(_words, texts[:_FIRST])):
        return None
    lists = [_words(text) if text else None for text in values]
    found = sum(words is not None for words in lists)
    return lists if 2 * found > len(texts) else None


def _words(text: str) -> list[str] | None:
    value = written_value(text)
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
        return [str(item) for item in value]
    return None
