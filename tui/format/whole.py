"""A row of a table, or a case of a list, in full: a name and its value a line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from engine.reports.views import Cell, Table, Texts, View
from tui.format.captions import caption_width, captioned
from tui.format.numbers import number
from tui.format.text import literal

_LONGEST = 20_000
_NAME = 24


def whole_row(columns: Sequence[str], row: Sequence[Cell]) -> list[Content]:
    """Return a line for each column; nothing is cut off."""
    width = caption_width(columns, _NAME)
    return [
        captioned(name, _value(cell), width, _NAME)
        for name, cell in zip(columns, row, strict=False)
    ]


def whole_case(view: View | None) -> list[Content]:
    """Return the lines of a case: texts with their captions, or columns with their values."""
    match view:
        case Texts():
            lines = [whole_row(list(item), list(item.values())) for item in view.items]
        case Table():
            lines = [
                whole_row([str(name) for name, *_ in view.rows], [row[1] for row in view.rows])
            ]
        case _:
            return []
    return [line for part in lines for line in part]


def _value(cell: Cell) -> Content:
    if isinstance(cell, float):
        return Content(number(cell))
    return literal("–" if cell is None else cell, _LONGEST)
