"""Dates in the formats of Java, as ARFF files declare them (``dd.MM.yyyy HH:mm``)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from engine.files.sanitize import plain
from engine.reports.note import Note

_PART = re.compile(r"'((?:[^']|'')*)'|([a-zA-Z])\2*|[^a-zA-Z']")
_PARTS = {
    "yyyy": "%Y", "y": "%Y", "yyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m",
    "M": "%m", "dd": "%d", "d": "%d", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M",
    "m": "%M", "ss": "%S", "s": "%S", "SSS": "%f", "SS": "%f", "S": "%f", "a": "%p", "EEE": "%a",
    "EEEE": "%A", "D": "%j", "DDD": "%j", "Z": "%z", "X": "%z", "XXX": "%z",
}  # fmt: skip


def strptime_format(java: str) -> str:
    """Return the format as ``strptime`` has it; empty where it has none."""
    parts, place = [], 0
    while place < len(java):
        found = _PART.match(java, place)
        if found is None:
            return ""
        part, place = found[0], found.end()
        if found[1] is not None:
            parts.append((found[1].replace("''", "'") or "'").replace("%", "%%"))
        elif found[2]:
            if part not in _PARTS:
                return ""
            parts.append(_PARTS[part])
        else:
            parts.append(part.replace("%", "%%"))
    return "".join(parts)


def date_column(name: str, java: str, cells: Sequence[str | None]) -> tuple[pa.Array, list[Note]]:
    """Return a column of moments, or of texts where they are not all in the declared format."""
    texts = pa.array(cells, pa.string())
    written = strptime_format(java)
    wrong = len(cells)
    if written and "%z" not in written:
        moments = pd.to_datetime(texts.to_pandas(), format=written, errors="coerce")
        wrong = int(moments.isna().sum()) - texts.null_count
        if not wrong:
            return pa.array(moments, pa.timestamp("us"), from_pandas=True), []
    elif "%z" in written:
        return texts, []
    why = f"dates that are not of the declared format {plain(java, 40)!r}; all are read as texts"
    return texts, [Note(why, plain(name, 60), "texts", wrong)]
