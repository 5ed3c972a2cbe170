"""The list of a gallery's cases: its columns, sort order and filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from textual.content import Content

from engine.files.sanitize import plain
from engine.reports.gallery import GalleryList
from engine.reports.views import Cell
from tui.format.numbers import number
from tui.format.text import literal
from tui.widgets.columns import Column

_NAME, _NUMBER = (10, 100), (7, 12)
"""The least and the most cells of a column of names, and of one of errors."""
_BORDER = 2
"""Cells beside the columns: the scroll bar and a space."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A row of the list, and the place of its case."""

    cells: Sequence[Cell]
    place: int
    text: str
    """All names in the row, in small letters."""


class GalleryRows:
    """The cases in the order of the gallery, most often the worst first, until they are sorted.

    Made in the thread that reads the gallery: thousands of cells are measured.
    """

    def __init__(self, found: GalleryList) -> None:
        self._found = found
        self._all = [
            CaseRow(row, place, " ".join(c for c in row if isinstance(c, str)).lower())
            for row, place in zip(found.rows, found.places, strict=True)
        ]
        self._sorted: tuple[int, bool] | None = None
        self._first_number = _first_number(found.rows)
        self._ranking = _ranking(found.rows) if found.ranked else None
        self.columns = [self._column(place) for place in range(len(found.columns))]
        """The columns, as wide as their longest cells: names before errors."""

    @property
    def title(self) -> str:
        """The title of the gallery."""
        return self._found.title

    @property
    def single(self) -> bool:
        """Whether there is one case, which needs no list."""
        return len(self._found.rows) == 1

    @property
    def width(self) -> int:
        """The cells that the whole columns take."""
        return sum(column.most + 1 for column in self.columns) + _BORDER

    @property
    def order(self) -> tuple[int | None, bool]:
        """The place of the column that sorts the rows, if one does, and whether it falls."""
        return self._sorted or (self._ranking, True)

    def sort_by(self, column: int) -> None:
        """Sort by a column, errors from the largest; the current column's order is reversed."""
        if self._sorted is not None and self._sorted[0] == column:
            self.reverse()
        else:
            self._sorted = column, column >= self._first_number

    def sort_by_next(self) -> None:
        """Sort by the column behind the current one, at first by the first of numbers."""
        current = self.order[0]
        column = self._first_number if current is None else current + 1
        column %= len(self._found.columns)
        self._sorted = column, column >= self._first_number

    def reverse(self) -> None:
        """Reverse the order."""
        column, descending = self.order
        self._sorted = self._first_number if column is None else column, not descending

    def matching(self, filter_text: str) -> list[CaseRow]:
        """Return the rows whose names contain all words, in order; those without a value last."""
        words = filter_text.lower().split()
        rows = [row for row in self._all if all(word in row.text for word in words)]
        if self._sorted is None:
            return rows
        column, descending = self._sorted
        known = [row for row in rows if row.cells[column] is not None]
        known.sort(key=lambda row: _order(row.cells[column]), reverse=descending)
        return known + [row for row in rows if row.cells[column] is None]

    def heading(self, shown: int, filtered: bool) -> Content:
        """Return how many cases there are, and of how many they are the worst."""
        found = self._found
        text = f"{shown:,} of {len(found.rows):,}" if filtered else f"{len(found.rows):,}"
        text += f" {found.title.lower()}"
        if found.total > len(found.rows):
            text += f", the {'worst' if found.ranked else 'first'} of {found.total:,}"
        elif self._sorted is None and found.ranked:
            text += ", worst first"
        return literal(text)

    def _column(self, place: int) -> Column:
        title = plain(self._found.columns[place], 40)
        texts = {_text(row[place]) for row in self._found.rows}
        longest = max([len(title), *map(cell_len, texts)]) + 1
        if place >= self._first_number:
            least, most = _NUMBER
            width = min(most, max(least, longest))
            return Column(title, width, width, right=True)
        least, most = _NAME
        return Column(title, min(least, longest), min(most, longest))


def case_cells(row: CaseRow) -> list[Content]:
    """Return the cells of a row."""
    return [_cell(value) for value in row.cells]


def _first_number(rows: Sequence[Sequence[Cell]]) -> int:
    """Return the place of the first column of numbers."""
    row = rows[0] if rows else ()
    return next((place for place, cell in enumerate(row) if not isinstance(cell, str)), 0)


def _ranking(rows: Sequence[Sequence[Cell]]) -> int | None:
    """Return the place of the first column of numbers that fall from row to row.

    Differences have a sign, and the worst of them first is the order of none of the columns.
    """
    for place in range(_first_number(rows), len(rows[0]) if rows else 0):
        numbers = [float(cell) for row in rows if isinstance(cell := row[place], int | float)]
        if all(before >= after for before, after in pairwise(numbers)):
            return place
    return None


def _cell(value: Cell) -> Content:
    return Content(_text(value))


def _text(value: Cell) -> str:
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else plain(value)


def _order(value: Cell) -> tuple[float, str]:
    return (0.0, value) if isinstance(value, str) else (float(value or 0), "")
