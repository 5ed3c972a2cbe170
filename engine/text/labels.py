"""Labels as texts and as numbers of classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from engine.data.raw import class_names

Label = str | list[str] | None


def labels_of(table: pa.Table, column: str) -> list[Label]:
    """The name of each row's class, a list of names where a row has several, or ``None``.

    Numbers below 0 stand for a missing label where the classes have names, as on the hub.
    """
    names = class_names(table, column)
    return [_named(value, names) for value in table[column].to_pylist()]


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


def classes_of(labels: Sequence[Label], names: Sequence[str] | None) -> tuple[list[str], list[int]]:
    """All classes, in their own order or sorted, and how often each occurs."""
    counts: Counter[str] = Counter()
    for label in labels:
        counts.update([label] if isinstance(label, str) else label or [])
    ordered = list(names) if names is not None else sorted(counts, key=_number_or_text)
    return ordered, [counts[name] for name in ordered]


def _number_or_text(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return float("inf"), name


def flags_of(labels: Sequence[Label], classes: Sequence[str]) -> list[list[int]]:
    """For each row a 1 for every class that it has."""
    return [[int(name in (label or ())) for name in classes] for label in labels]
