"""Cells side by side in columns, as one line on the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.content import Content
from textual.strip import Strip
from textual.style import Style


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and its minimum and maximum width in cells."""

    title: str
    least: int
    most: int
    right: bool = False
    """Whether it is right-aligned, like numbers."""


Columns = tuple[Column, ...]
ParseStyle = Callable[[str | Style], Style]


@lru_cache
def widths_of(columns: Columns, width: int) -> tuple[int, ...]:
    """Distribute ``width`` over the columns, one cell apart, within their minimum and maximum."""
    widths = [column.least for column in columns]
    spare = width - sum(widths) - (len(columns) - 1)
    while spare > 0:
        growing = [i for i, column in enumerate(columns) if widths[i] < column.most][:spare]
        if not growing:
            break
        for i in growing:
            widths[i] += 1
        spare -= len(growing)
    return tuple(widths)


def column_at(columns: Columns, x: int, width: int) -> int:
    """Return the column at a cell; the gap behind a column belongs to it."""
    ends = accumulate(own + 1 for own in widths_of(columns, width))
    return next((i for i, end in enumerate(ends) if x < end), len(columns) - 1)


def headings(columns: Columns, width: int, order: tuple[int, bool] | None) -> list[Content]:
    """Return the titles; that of the column and direction of ``order`` is marked."""
    titles = [column.title for column in columns]
    if order is not None:
        place, descending = order
        room = widths_of(columns, width)[place]
        titles[place] = titles[place][: room - 1] + ("▼" if descending else "▲")
    return list(map(Content, titles))


def row_strip(
    columns: Columns,
    cells: Sequence[Content],
    width: int,
    style: Style,
    parse_style: ParseStyle,
) -> Strip:
    """Return the cells side by side as a line of ``width`` cells."""
    segments = _segments(columns, cells, width, style, parse_style)
    return Strip(filter(None, segments)).simplify().crop_extend(0, width, style.rich_style)


def _segments(
    columns: Columns,
    cells: Sequence[Content],
    width: int,
    style: Style,
    parse_style: ParseStyle,
) -> Iterator[Segment]:
    """Yield the segments of the cells.

    Most have no style of their own and are joined as text, which is faster.
    """
    text = ""
    parts = zip(cells, widths_of(columns, width), columns, strict=True)
    for place, (cell, room, column) in enumerate(parts):
        text += " " * (place > 0)
        if not cell.spans:
            text += _fit_text(cell.plain, room, column.right)
            continue
        yield Segment(text, style.rich_style)
        text = ""
        for part, own in fit(cell, room, column.right).render(style, "", parse_style):
            yield Segment(part, own.rich_style)
    yield Segment(text, style.rich_style)


def _fit_text(text: str, width: int, right: bool) -> str:
    room = width - cell_len(text)
    if room < 0:
        return set_cell_size(text, width - 1) + "…"
    return " " * room + text if right else text + " " * room


def fit(cell: Content, width: int, right: bool = False) -> Content:
    """Return the content padded or truncated to exactly ``width`` cells."""
    cut = cell.truncate(width, ellipsis=True)
    room = width - cut.cell_length
    return cut.pad_left(room) if right else cut.pad_right(room)
