"""A table of a report, which can be sorted by each of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from typing_extensions import override

from engine.reports.views import Cell, Table
from tui.format.numbers import number
from tui.format.text import literal
from tui.widgets.columns import Column
from tui.widgets.listing import Listing
from tui.widgets.signed_bars import SignedBars, signed_bars

RANKED = "Importance of columns"
"""Beginning of the title of tables whose first number is drawn as a bar."""
_CHANGES = ("change", "difference")
"""Beginnings of the titles of columns whose numbers have a sign."""
_WIDEST = 40
_NAME = 20
_BAR = 24
"""Cells of the longest bar beside a row."""

NumberedRow = tuple[int, Sequence[Cell]]
"""A row behind its place in the report."""


class TableView(Listing[NumberedRow]):
    """The rows of a table in the order of the report, until they are sorted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "sort(1)", "Sort", show=False),
        Binding("O", "sort(0)", "Reverse the order", show=False),
    ]

    def __init__(self, table: Table, opens: bool) -> None:
        """If ``opens``, enter asks to see a row whole."""
        signed = [_signed(table, place) for place in range(len(table.columns))]
        shown = [list(map(_cell, row, signed)) for row in table.rows]
        columns = [
            Column(str(title), *_widths(str(title), [row[place] for row in shown]), right=right)
            for place, title in enumerate(table.columns)
            for right in [_numeric(table, place)]
        ]
        bars = _bars(table)
        if bars:
            columns.append(Column(bars.heading, _BAR, _BAR))
        self._table = table
        self._sorted: tuple[int, bool] | None = None
        super().__init__(
            columns,
            lambda row: [*shown[row[0]], *_bar(row[1], bars)],
            lambda row: row[0],
            choosable=opens,
        )

    def fill(self) -> None:
        """Show the rows in their order; those without a value are the last."""
        rows: list[NumberedRow] = list(enumerate(self._table.rows))
        if self._sorted is not None:
            column, falls = self._sorted
            known = [row for row in rows if row[1][column] is not None]
            known.sort(key=lambda row: _order(row[1][column]), reverse=falls)
            rows = known + [row for row in rows if row[1][column] is None]
        self.show_order(*(self._sorted or (None, False)))
        self.set_items(rows)

    def action_sort(self, step: int) -> None:
        """Sort by the next column, at first by the first of numbers; or the other way round."""
        places = range(len(self._table.columns))
        first = next((place for place in places if _numeric(self._table, place)), 0)
        if self._sorted is None:
            self._sort_by(first)
        else:
            self._sort_by((self._sorted[0] + step) % len(places))

    @on(Listing.HeadingClicked)
    def _heading_clicked(self, event: Listing.HeadingClicked) -> None:
        """Sort by the column."""
        event.stop()
        if event.column < len(self._table.columns):
            self._sort_by(event.column)

    def _sort_by(self, column: int) -> None:
        """Sort numbers from the largest, texts from the first letter; once more, the other way."""
        same = self._sorted is not None and self._sorted[0] == column
        falls = _numeric(self._table, column)
        self._sorted = column, not self._sorted[1] if same and self._sorted else falls
        self.fill()
        self.action_move(-len(self.items))

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether there is something to sort, and whether rows are opened."""
        if action == "sort":
            return len(self._table.rows) > 1
        return super().check_action(action, parameters)


def _order(value: Cell) -> tuple[float, str]:
    return (0.0, value.lower()) if isinstance(value, str) else (float(value or 0), "")


def _numeric(table: Table, place: int) -> bool:
    """Return whether a column has numbers, as far as it has something."""
    return all(isinstance(row[place], int | float | None) for row in table.rows)


def _signed(table: Table, place: int) -> bool:
    """Return whether the numbers of a column are changes."""
    ranked = table.title.startswith(RANKED)
    return bool(ranked and place) or str(table.columns[place]).startswith(_CHANGES)


def _bars(table: Table) -> SignedBars | None:
    """Return the bars of a table's first numbers, where it has bars."""
    if not table.title.startswith(RANKED):
        return None
    name = literal(table.columns[1], _NAME).plain if len(table.columns) > 1 else ""
    return signed_bars(name, [_first_number(row) for row in table.rows], _BAR)


def _bar(row: Sequence[Cell], bars: SignedBars | None) -> list[Content]:
    return [bars.bar(_first_number(row))] if bars else []


def _first_number(row: Sequence[Cell]) -> float:
    value = row[1] if len(row) > 1 else None
    return float(value) if isinstance(value, int | float) else 0.0


def _widths(title: str, cells: Sequence[Content]) -> tuple[int, int]:
    """Return a width at which most is visible, and one at which all is."""
    longest = max([len(title), *(cell.cell_length for cell in cells)])
    return min(longest, 16), min(longest + 2, _WIDEST)


def _cell(value: Cell, signed: bool) -> Content:
    if isinstance(value, float):
        return Content("+" * (signed and value > 0) + number(value))
    return literal("–" if value is None else value)
