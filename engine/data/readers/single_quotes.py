"""CSV files whose cells are enclosed in single quotes, as some databases write them."""

from __future__ import annotations

import re

from engine.data.readers.dialect import LINE_END, sample_of

_CELL = re.compile(r"(^|[,;\t|])'((?:[^'\r\n]|'')*)'(?=[,;\t|\r]|$)", re.MULTILINE)
_OPENED = re.compile(r"(?:^|[,;\t|])'", re.MULTILINE)


def with_double_quotes(text: str) -> str:
    """Return a CSV's text with double quotes in place of the single ones that enclose cells.

    It is the same text where some cell has only one of them, or some row has none: then they are
    apostrophes.
    """
    if "'" not in text or '"' in text:
        return text
    sample = sample_of(text)
    cells = _CELL.findall(sample)
    rows = sum(not line.isspace() for line in LINE_END.split(sample) if line)
    if len(cells) < max(1, rows - 1) or len(cells) != len(_OPENED.findall(sample)):
        return text
    return _CELL.sub(_doubled, text)


def _doubled(cell: re.Match[str]) -> str:
    inner = cell[2].replace("''", "'")
    return f'{cell[1]}"{inner}"'
