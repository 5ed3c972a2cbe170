"""Lists of objects that differ in shape, such as the turns of conversations and their tools."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

_ROLES = {"role", "from"}
"""Keys by which turns say whose they are."""


def as_json(values: Sequence[Any]) -> list[str | None] | None:
    """Return lists of objects as their JSON, which a table can hold; ``None`` for other values.

    An empty list is missing, and texts among the lists stay. The readers of conversations read
    their JSON as well, and take a text for one turn.
    """
    if not all(value is None or isinstance(value, str) or _are_objects(value) for value in values):
        return None
    return [None if value is None or value == [] else written(value) for value in values]


def written(value: Any) -> str:
    """Return a text as it is, and objects or lists as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def holds_objects(values: Iterable[Any]) -> bool:
    """Return whether objects in lists hold objects themselves, such as calls with arguments.

    In a table, each of them would have the keys of all, in one order.
    """
    return any(
        _are_objects(value) and any(_is_nested(part) for item in value for part in item.values())
        for value in values
    )


def type_holds_objects(kind: pa.DataType) -> bool:
    """Return whether :func:`holds_objects` may be true of a column of a type."""
    if not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return False
    parts = [field.type for field in kind.value_type]
    return any(
        pa.types.is_struct(part) or (pa.types.is_list(part) and pa.types.is_struct(part.value_type))
        for part in parts
    )


def are_turns(value: Any) -> bool:
    """Return whether a value is a list of objects that each have the role of a turn."""
    return bool(value) and _are_objects(value) and all(_ROLES & turn.keys() for turn in value)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (bool(value) and _are_objects(value))
