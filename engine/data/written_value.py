"""Lists and objects that a cell holds as text, as Python, JSON and numpy write them into a CSV."""

from __future__ import annotations

import ast
import re
from typing import Any

from engine.files import safe_json

_ARRAY = re.compile(r"\barray\((\[.*?\])(?:,\s*dtype=[\w.']+)?\)", re.DOTALL)
_NUMPY_ITEM = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|-?\d+")


def written_value(text: str) -> Any:
    """Return the list or the object that ``text`` is the notation of, or ``None``."""
    text = text.strip()
    if (text[:1], text[-1:]) not in (("[", "]"), ("{", "}")):
        return None
    try:
        return safe_json.loads(text)
    except ValueError:
        return _python(_ARRAY.sub(lambda found: _with_commas(found[1]), _with_commas(text)))


def _python(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _with_commas(text: str) -> str:
    """Return a list of numpy, which has blanks between its items, as Python writes it."""
    inside = text[1:-1]
    if text[0] != "[" or _NUMPY_ITEM.sub("", inside).strip():
        return text
    return f"[{', '.join(_NUMPY_ITEM.findall(inside))}]"
