"""Spellings of one category: files write the same number or truth value in several ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
"""A number that is no code: codes may begin with a zero."""
TRUTH = {"true": 1.0, "false": 0.0}
"""Truth values as numbers, by their names in lower case."""


def respelled(values: pa.ChunkedArray, categories: Sequence[str | None]) -> pa.ChunkedArray:
    """Give texts that mean a category the spelling of it; others stay as they are.

    ``True`` means ``true``, and where all categories are numbers, ``1.0`` means ``1``: a column of
    a later file may be written otherwise as a whole, since one odd value in it is enough. ``01``
    does not mean ``1``.
    """
    known = [category for category in categories if category is not None]
    meaning = _number if known and all(map(_NUMBER.fullmatch, known)) else _truth
    spelling = {meaning(category): category for category in known}
    distinct = pc.unique(values).drop_null()
    told = [spelling.get(meaning(value), value) for value in distinct.to_pylist()]
    places = pc.index_in(values, value_set=distinct)
    return pc.take(pa.chunked_array([pa.array(told, pa.string())]), places)


def _number(text: str) -> object:
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def _truth(text: str) -> object:
    return text.lower() if text.lower() in TRUTH else text
