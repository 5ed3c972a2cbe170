"""Texts that are all numbers as programs write them, read without the steps for other spellings."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.tables.schema import NumberFormat

_ZERO, _NINE = ord("0"), ord("9")
_PLAIN = r"^-?(0|[1-9]\d{0,17})(\.\d{1,17})?$"
"""Not all that :func:`plain_numbers` takes, but what nearly all cells of a long column are."""


def plain_numbers(texts: pa.ChunkedArray, written: NumberFormat | None) -> pa.ChunkedArray | None:
    """Return texts as float64, or ``None`` where any is more than digits, a sign and a point.

    Such texts mean the same numbers in each format that has a decimal point. Units, marks between
    thousands and codes that begin with a zero are for
    :func:`~engine.data.tables.number_format.parsed_numbers`.
    """
    if not _means_the_same(written):
        return None
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    wrong = any(map(_may_have_codes, texts.chunks)) or any(map(_has_others, numbers.chunks))
    return None if wrong else numbers


def with_odd_apart(
    texts: pa.ChunkedArray, written: NumberFormat
) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Return plain texts as float64, and the places of the texts that are not, which are NaN.

    ``None`` where the format gives plain texts another meaning.
    """
    if not _means_the_same(written):
        return None
    plain = pc.match_substring_regex(texts, _PLAIN)
    numbers = pc.if_else(plain, texts, pa.scalar(None, pa.string())).cast(pa.float64())
    odd = np.asarray(pc.invert(plain).fill_null(False)).nonzero()[0]
    return np.asarray(numbers.fill_null(np.nan)).astype(np.float64), odd


def _means_the_same(written: NumberFormat | None) -> bool:
    return not written or (written.decimal == "." and not written.clock)


def _may_have_codes(texts: pa.Array) -> bool:
    """Return whether any text begins with a zero and another digit."""
    _, ends, content = texts.buffers()
    if not len(texts) or content is None:
        return False
    bounds = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    characters = np.frombuffer(content, np.uint8)
    begins = bounds[:-1][np.diff(bounds) > 1]
    second = characters[begins[characters[begins] == _ZERO] + 1]
    return bool(((second >= _ZERO) & (second <= _NINE)).any())


def _has_others(numbers: pa.Array) -> bool:
    return not np.isfinite(np.asarray(numbers.fill_null(0.0))).all()
