"""Classes that may be codes for a missing label, such as -1 beside 0, 1 and 2."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.files.sanitize import plain

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,8})")
_CODES = frozenset({-1, -9, -99, -999, -9999, 99, 999, 9999})
_MARKS = ("-", "--", "?", ".", "*")
"""Classes that may say that annotators did not agree, as ``-`` in SNLI."""
_SHOWN = 4


def missing_class(names: Sequence[str]) -> str:
    """Return the class that is likely a code for a missing label; empty where there is none.

    The others are two or more words, or whole numbers from 0 or 1 on, without a gap.
    """
    if len(names) > 2 and all(name[:1].isalpha() or name in _MARKS for name in names):
        marks = [name for name in names if name in _MARKS]
        return marks[0] if len(marks) == 1 else ""
    if len(names) < 3 or not all(map(_WHOLE.fullmatch, names)):
        return ""
    numbers = sorted(map(int, names))
    for code, others in ((numbers[0], numbers[1:]), (numbers[-1], numbers[:-1])):
        first = others[0]
        if code in _CODES and first in (0, 1) and others == [*range(first, first + len(others))]:
            apart = code < 0 or code > others[-1] + 1
            return str(code) if apart else ""
    return ""


def why_missing(code: str, names: Sequence[str]) -> str:
    """Return the sentence of the doubt."""
    others = [name for name in names if name != code]
    if code not in _MARKS:
        others.sort(key=int)
    shown = ", ".join(plain(name, 40) for name in others[:_SHOWN]) + ", …" * (len(others) > _SHOWN)
    return f"{code} is a class beside {shown}, though it may mean that the label is missing"
