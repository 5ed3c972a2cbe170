"""An explanation in lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.files.sanitize import plain
from engine.reports.explanation import Explanation
from engine.reports.views import Cell, Pictures, Shaded, Table
from tui.format.cells import aligned, widths

_CELL = 40


def explained(explanation: Explanation) -> Iterator[str]:
    """Yield the method, then the places, the words or the columns."""
    yield f"{plain(explanation.target, 60)}: {plain(explanation.method, 200)}"
    for view in explanation.views:
        match view:
            case Pictures():
                yield from (plain(picture.words, 200) for picture in view.pictures)
            case Shaded():
                yield from (f"{weight:+12.4g}  {plain(word, _CELL)}" for word, weight in view.parts)
            case Table():
                yield from _aligned([view.columns, *view.rows])


def _aligned(rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    texts = [
        [f"{cell:+.4g}" if isinstance(cell, float) else plain(cell, _CELL) for cell in row]
        for row in rows
    ]
    cells = widths(texts)
    for row in texts:
        yield aligned(row, cells)
