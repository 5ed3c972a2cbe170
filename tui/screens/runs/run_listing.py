"""The list of runs with its sort order, filter and selection."""

from __future__ import annotations

from textual import on
from textual.message import Message

from engine.runs.summary import RunSummary
from tui.screens.runs.list_reader import Rows
from tui.screens.runs.rows import COLUMNS, cells
from tui.screens.runs.shown_rows import ShownRows
from tui.widgets.listing import Listing


class RunListing(Listing[RunSummary]):
    """Posts :class:`Changed` after each change of its rows or selection."""

    class Changed(Message):
        """The rows changed, or which of them are selected."""

    def __init__(self, id: str) -> None:
        self.rows = ShownRows()
        super().__init__(COLUMNS, cells(self.rows.selected), lambda row: row.id, id=id)

    def on_mount(self) -> None:
        """Mark the initial sort order."""
        self.show_order(*self.rows.order)

    @property
    def chosen(self) -> list[RunSummary]:
        """The selected runs; the one at the cursor if there are none."""
        return self.rows.chosen(self.current)

    def take(self, rows: Rows) -> None:
        """Show the rows as read from disk."""
        self.rows.take(rows)
        self._show_rows()

    def sort_by(self, column: int) -> None:
        """Sort by a column, or reverse its order."""
        self.rows.sort_by(column)
        self.show_order(*self.rows.order)
        self._show_rows()

    def sort_by_next(self, step: int) -> None:
        """Sort by another column; a ``step`` of 0 reverses the order."""
        self.sort_by((self.rows.order[0] + step) % len(COLUMNS))

    def filter_by(self, text: str) -> None:
        """Show the rows that pass a filter."""
        self.rows.filter_by(text)
        self._show_rows()

    def toggle(self) -> None:
        """Select or deselect the run at the cursor."""
        if (row := self.current) is not None:
            self.rows.toggle(row)
            self._show_selection()

    def toggle_all(self) -> None:
        """Select all visible runs, or none where all were selected."""
        self.rows.toggle_all()
        self._show_selection()

    def deselect_all(self) -> bool:
        """Deselect all; returns whether any was selected."""
        any_selected = bool(self.rows.selected)
        self.rows.selected.clear()
        self._show_selection()
        return any_selected

    @on(Listing.HeadingClicked)
    def _heading_clicked(self, event: Listing.HeadingClicked) -> None:
        """Sort by the column; a second click reverses the order."""
        self.sort_by(event.column)

    @on(Listing.CellClicked)
    def _cell_clicked(self, event: Listing.CellClicked) -> None:
        """Select the row, if its first cell was clicked."""
        if event.column == 0:
            self.toggle()

    def _show_rows(self) -> None:
        self.set_items(self.rows.visible)
        self.display = not self.rows.empty
        self.post_message(self.Changed())

    def _show_selection(self) -> None:
        self.refresh_rows()
        self.post_message(self.Changed())
