"""Labels as texts and as numbers of classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from engine.data.on_disk import in_windows
from engine.data.raw import class_names
from engine.files.sanitize import plain
from engine.reports.note import Note

_AT_ONCE = 1 << 16
_FEW_CLASSES = 20
"""Number of classes that is never too large for the number of rows."""
Label = str | list[str] | None


def labels_of(table: pa.Table, column: str) -> list[Label]:
    """The name of each row's class, a list of names where a row has several, or ``None``.

    Numbers below 0 stand for a missing label where the classes have names, as on the hub.
    """
    names = class_names(table, column)
    values = table[column]
    if pa.types.is_nested(values.type):
        return [_named(value, names) for value in values.to_pylist()]
    labels: list[Label] = []
    for known, codes in _encoded(values, names):
        named = [*known, None]  # the same few texts for all rows
        labels += [named[code] for code in codes.fill_null(len(known)).to_pylist()]
    return labels


def merges_fractions(column: pa.ChunkedArray) -> bool:
    """Return whether different texts are one number with a fraction, as ``1.10`` and ``1.1``."""
    if not pa.types.is_string(column.type):
        return False
    texts = [text for text in column.unique().to_pylist() if text and "." in text]
    numbers = [number for number, _ in map(_number_or_text, texts) if number % 1]
    return len(set(numbers)) < len(numbers)


def named_column(table: pa.Table, column: str) -> pa.ChunkedArray:
    """:func:`labels_of` a column without lists, as a column of text."""
    names = class_names(table, column)
    parts = [
        pa.array(known, pa.string()).take(codes) for known, codes in _encoded(table[column], names)
    ]
    return pa.chunked_array(parts, pa.string())


def _encoded(
    values: pa.ChunkedArray, names: Sequence[str] | None
) -> Iterator[tuple[list[str | None], pa.Array]]:
    """Yield, for each chunk of a column, its distinct values and the index of each row's value."""
    for piece in in_windows(pa.table({"label": values}), _AT_ONCE):
        encoded = piece["label"].combine_chunks().dictionary_encode()
        known = [_named(value, names) for value in encoded.dictionary.to_pylist()]
        yield [name if isinstance(name, str) else None for name in known], encoded.indices


def _named(value: Any, names: Sequence[str] | None) -> Label:
    if value is None or value != value:
        return None
    if isinstance(value, list):
        return [name for item in value if isinstance(name := _named(item, names), str)]
    if isinstance(value, bool):
        return str(value).lower()
    if names is not None and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() or None


def names_in(label: Label) -> list[str]:
    """The classes that a row has."""
    return [label] if isinstance(label, str) else label or []


def classes_of(labels: Sequence[Label], names: Sequence[str] | None) -> tuple[list[str], list[int]]:
    """All classes, in their own order or sorted, and how often each occurs."""
    counts: Counter[str] = Counter()
    for label in labels:
        counts.update(names_in(label))
    return classes_among(counts, names)


def classes_among(
    counts: Mapping[str, int], names: Sequence[str] | None
) -> tuple[list[str], list[int]]:
    """:func:`classes_of` labels that were counted already."""
    ordered = list(names) if names is not None else sorted(counts, key=_number_or_text)
    return ordered, [counts.get(name, 0) for name in ordered]


def joined_class(classes: Sequence[str]) -> str:
    """Return the first class that names several, such as ``a;b`` beside ``a``; or empty."""
    known = set(classes)
    for name in classes:
        for mark in ";|, ":
            parts = {part.strip() for part in name.split(mark)}
            if len(parts) > 1 and (parts <= known or (mark in ";|" and parts & known)):
                return name
    return ""


def joined_note(classes: Mapping[str, int], label: str, remedy: str) -> list[Note]:
    """Return a doubt where a class names several others; ``classes`` have their numbers of rows.

    ``remedy`` says how several labels are written.
    """
    joined = joined_class(list(classes))
    why = f"{plain(joined, 40)} is one class, though it names others; {remedy}"
    return [Note(why, plain(label, 60), "one class", classes[joined])] if joined else []


def too_many(classes: int, rows: int) -> bool:
    """Return whether rows have too many classes to be learned from.

    A column of identifiers or of texts has one in each row, and none of another split is known.
    """
    return classes > max(_FEW_CLASSES, rows // 2)


def _number_or_text(name: str) -> tuple[float, str]:
    """Sort numbers by value, and before names; ``nan``, which is a language too, is a name."""
    try:
        number = float(name)
    except ValueError:
        number = math.nan
    return math.inf if math.isnan(number) else number, name


def flags_of(labels: Sequence[Label], classes: Sequence[str]) -> list[list[int]]:
    """For each row a 1 for every class that it has."""
    return [[int(name in (label or ())) for name in classes] for label in labels]
