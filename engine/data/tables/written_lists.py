"""Lists of categories as programs and people write them into a cell: ``["a", "b"]``, ``[a, b]``.

Data frames and the predictions of this package have them where a format has no lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.written_value import written_value

_ITEM = r"""'[^'\[\]]*'|"[^"\[\]]*"|[-+\w.]+"""
_LIST = re.compile(rf"\[\s*(?:{_ITEM})(?:\s*,\s*(?:{_ITEM}))*\s*,?\s*\]")
_ITEMS = re.compile(_ITEM)


def with_written_lists(cells: pa.ChunkedArray, lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return ``lists`` of texts, with the items of those ``cells`` that are written as lists."""
    marked = pc.and_(pc.starts_with(cells, "["), pc.ends_with(cells, "]"))
    if not pc.any(marked).as_py():
        return lists
    known = {text: written_items(text) for text in pc.unique(cells.filter(marked)).to_pylist()}
    found = [known.get(text) for text in cells.to_pylist()]
    rows = [old if new is None else new for new, old in zip(found, lists.to_pylist(), strict=True)]
    return pa.chunked_array([pa.array(rows, pa.list_(pa.string()))])


def written_items(text: str) -> Sequence[str | None] | None:
    """Return the items of a list, some ``None``; or ``None`` for a text that is no list."""
    value = written_value(text)
    if isinstance(value, list):
        return [_text(item) for item in value]
    if value is None and _LIST.fullmatch(text):  # words without quotes
        return [item.strip("'\"") for item in _ITEMS.findall(text)]
    return None


def _text(item: Any) -> str | None:
    """Return an item as it is among the categories of typed lists: 1 for 1.0."""
    if isinstance(item, float) and item.is_integer():
        return str(int(item))
    if item is None or isinstance(item, str):
        return item
    return json.dumps(item, ensure_ascii=False, default=str)
