"""Spellings of one category: files write the same number or truth value in several ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
"""A number that is no code: codes may begin with a zero."""
TRUTH = {"true": 1.0, "false": 0.0}
"""Truth values as numbers, by their names in lower case."""
_WORDS = {"true": True, "yes": True, "t": True, "y": True,
          "false": False, "no": False, "f": False, "n": False}  # fmt: skip
"""Truth values as they are written in words, in lower case."""


def respelled(
    values: pa.ChunkedArray, categories: Sequence[str | None], labels: bool = False
) -> pa.ChunkedArray:
    """Give texts that mean a category the spelling of it; others stay as they are.

    ``True`` means ``true``, and where all categories are numbers, ``1.0`` means ``1``: a column of
    a later file may be written otherwise as a whole, since one odd value in it is enough. ``01``
    does not mean ``1``. Where ``categories`` are ``labels`` and the two truth values, ``1``,
    ``yes`` and ``t`` mean the true one; a text that is itself one of the ``labels`` stays.
    """
    known = [category for category in categories if category is not None]
    meaning = _truth if labels and _are_truth(known) else _meaning_among(known)
    spelling = {meaning(category): category for category in known}
    distinct = pc.unique(values).drop_null()
    exact = set(known) if labels else set()
    spelled = [
        value if value in exact else spelling.get(meaning(value), value)
        for value in distinct.to_pylist()
    ]
    places = pc.index_in(values, value_set=distinct)
    return pc.take(pa.chunked_array([pa.array(spelled, pa.string())]), places)


def truth_numbers(values: Sequence[str]) -> list[float] | None:
    """Return truth values as numbers, ``True`` as ``1``; ``None`` where any value is none.

    Some files write them in words and others as 0 and 1; 0 and 1 alone are just numbers.
    """
    numbers = []
    for value in values:
        number = TRUTH.get(value.lower(), _number(value))
        if number not in (0, 1):
            return None
        numbers.append(float(number))
    return numbers if any(value.lower() in TRUTH for value in values) else None


def _meaning_among(categories: Sequence[str]) -> Callable[[str], object]:
    """Return a function of a text: what it means beside these categories."""
    numeric = bool(categories) and all(map(_NUMBER.fullmatch, categories))
    return _number if numeric else _name


def _are_truth(categories: Sequence[str]) -> bool:
    return len(categories) == 2 and {_truth(text) for text in categories} == {True, False}


def _truth(text: str) -> object:
    number = _number(text)
    if isinstance(number, Decimal):
        return {Decimal(1): True, Decimal(0): False}.get(number, text)
    return _WORDS.get(text.lower(), text)


def _number(text: str) -> Decimal | str:
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def _name(text: str) -> object:
    return text.lower() if text.lower() in TRUTH else text
