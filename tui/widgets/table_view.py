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
from tui.widgets.progress import bar

RANKED = "Importance of columns"
"""Beginning of the title of tables whose first number is drawn as a bar."""
_WIDEST = 40
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
        columns = [
            Column(
                str(title), *_widths(str(title), [row[place] for row in table.rows]), right=right
            )
            for place, title in enumerate(table.columns)
            for right in [_numeric(table, place)]
        ]
        longest = _longest(table)
        if longest:
            columns.append(Column("", _BAR, _BAR))
        self._table = table
        self._sorted: tuple[int, bool] | None = None
        super().__init__(
            columns,
            lambda row: [*(_cell(value) for value in row[1]), *_bar(row[1], longest)],
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


def _longest(table: Table) -> float:
    """Return the largest value of bars, without a sign; 0 where the table has none."""
    if not table.title.startswith(RANKED):
        return 0.0
    values = [row[1] for row in table.rows if len(row) > 1]
    return max((abs(value) for value in values if isinstance(value, float)), default=0.0)


def _bar(row: Sequence[Cell], longest: float) -> list[Content]:
    """Return the bar of a row's first number, where there are bars."""
    if not longest:
        return []
    value = row[1] if isinstance(row[1], float) else 0.0
    return [Content.styled(bar(abs(value) / longest, _BAR), "$primary")]


def _widths(title: str, values: Sequence[Cell]) -> tuple[int, int]:
    """Return a width at which most is visible, and one at which all is."""
    longest = max([len(title), *(_cell(value).cell_length for value in values)])
    return min(longest, 16), min(longest + 2, _WIDEST)


def _cell(value: Cell) -> Content:
    if isinstance(value, float):
        return Content(number(value))
    return literal("–" if value is None else value)
