"""Cells of digits that are no numbers: padded codes, and months such as ``01.2015``."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_PADDED_FIRST = re.compile(rb'"?\s*-?0[\dxX]')
_WINDOW = 1 << 18
"""Bytes that are looked through at a time, which stay in the processor's cache."""
_MONTHS = (r"^ *(?:0[1-9]|1[0-2])\.(?:19|20)\d\d *$", r"^ *(?:19|20)\d\d\.(?:0[1-9]|1[0-2]) *$")
"""Months with two digits, before or after their year."""
_MONTH_FIRST = (1.19, 12.21)
_YEAR_FIRST = (1900.0, 2099.13)
_FEWEST = 6
"""Fewer numbers may be measured ones."""


def has_padded(data: bytes, delimiter: str) -> bool:
    """Return whether any cell may be a number as ``012``, ``-07`` and ``0x1F``."""
    if _PADDED_FIRST.match(data):
        return True
    first, *others = f'{delimiter}"\n\r '.encode()
    for start in range(0, len(data), _WINDOW - 3):  # a cell may begin at the end of a window
        window = np.frombuffer(data, np.uint8, min(_WINDOW, len(data) - start), start)
        before = window == first
        for mark in others:
            before |= window == mark
        follows = (window[1:] - np.uint8(ord("0")) < 10) | (window[1:] | 0x20 == ord("x"))
        padded = (window[:-1] == ord("0")) & follows
        negative = before[:-1] & (window[1:] == ord("-"))
        if (before[:-2] & padded[1:]).any() or (negative[:-2] & padded[2:]).any():
            return True
    return False


def may_be_months(values: NDArray[np.float64]) -> bool:
    """Return whether numbers may have been written as months with their year."""
    if len(values) < _FEWEST:
        return False
    ends = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    return any(low <= ends[0] and ends[1] <= high for low, high in (_MONTH_FIRST, _YEAR_FIRST))


def are_months(written: pa.ChunkedArray) -> bool:
    """Return whether all texts that are not empty are months with their year."""
    given = written.filter(pc.not_equal(pc.utf8_trim_whitespace(written), ""))
    matches = (pc.match_substring_regex(given, form) for form in _MONTHS)
    return len(given) >= _FEWEST and any(bool(pc.all(found).as_py()) for found in matches)
