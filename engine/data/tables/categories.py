"""Spellings of one category: files write the same number or truth value in several ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
"""A number that is no code: codes may begin with a zero."""
_TRUTH = {"true", "false"}


def respelled(values: pa.ChunkedArray, categories: Sequence[str | None]) -> pa.ChunkedArray:
    """Give texts that mean a category the spelling of it; others stay as they are.

    Where all categories are numbers, ``1.0`` means ``1``, and where all are truth values, ``True``
    means ``true``: a column of a later file may be written otherwise as a whole, since one odd
    value in it is enough. ``01`` does not mean ``1``.
    """
    known = [category for category in categories if category is not None]
    meaning = _meaning_of(known)
    if meaning is None:
        return values
    spelling = {meaning(category): category for category in known}
    distinct = pc.unique(values).drop_null()
    told = [spelling.get(meaning(value), value) for value in distinct.to_pylist()]
    places = pc.index_in(values, value_set=distinct)
    return pc.take(pa.chunked_array([pa.array(told, pa.string())]), places)


def _meaning_of(categories: Sequence[str]) -> Callable[[str], object] | None:
    """Return what tells categories apart; ``None`` where it is their spelling."""
    if categories and all(map(_NUMBER.fullmatch, categories)):
        return lambda text: float(text) if _NUMBER.fullmatch(text) else text
    if categories and {category.lower() for category in categories} <= _TRUTH:
        return str.lower
    return None
