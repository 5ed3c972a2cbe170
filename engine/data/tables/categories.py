"""Spellings of one category: files write the same number or truth value in several ways."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
"""A number that is no code: codes may begin with a zero."""
_WHOLE = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.0*|,00?)?")
"""A whole number, also with a fraction of zeros."""
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
    does not mean ``1``. A text that is itself one of the ``categories`` stays if they are
    ``labels``. What has no such meaning may have one of :func:`other_spellings`.
    """
    known = [category for category in categories if category is not None]
    meaning = _meaning_among(known)
    spelling = {meaning(category): category for category in known}
    exact = set(known) if labels else set()
    distinct = pc.unique(values).drop_null()
    read = [
        value if value in exact else spelling.get(meaning(value), value)
        for value in distinct.to_pylist()
    ]
    others = other_spellings(read, known)
    spelled = [others.get(value, value) for value in read]
    places = pc.index_in(values, value_set=distinct)
    return pc.take(pa.chunked_array([pa.array(spelled, pa.string())]), places)


def other_spellings(values: Sequence[str], categories: Sequence[str | None]) -> dict[str, str]:
    """Return the category that each text means which is none itself, where it means just one.

    ``345.0`` means ``345`` also where other categories are words, and ``1``, ``yes`` and ``t`` mean
    ``true`` where the categories are the two truth values. Zeros before a number make another one.
    """
    known = [category for category in categories if category is not None]
    meaning = _truth if _are_truth(known) else _whole
    alike: dict[object, list[str]] = defaultdict(list)
    for category in known:
        alike[meaning(category)].append(category)
    spelled = {_name(category) for category in known}  # True for true is a matter of file formats
    strange = {value: meaning(value) for value in values if _name(value) not in spelled}
    return {value: alike[meant][0] for value, meant in strange.items() if len(alike[meant]) == 1}


def _meaning_among(categories: Sequence[str]) -> Callable[[str], object]:
    """Return a function of a text: what it means beside these categories."""
    numeric = bool(categories) and all(map(_NUMBER.fullmatch, categories))
    return _number if numeric else _name


def _whole(text: str) -> object:
    """Return a whole number; other texts as they are."""
    number = text.partition(".")[0].partition(",")[0]
    return Decimal(number) if _WHOLE.fullmatch(text) else text


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
