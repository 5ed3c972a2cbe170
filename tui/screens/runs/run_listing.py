"""The list of runs with its sort order, filter and selection."""

from __future__ import annotations

from textual import on
from textual.message import Message

from engine.runs.summary import RunSummary
from tui.screens.runs.list_reader import Rows
from tui.screens.runs.rows import COLUMNS, cells, fitting
from tui.screens.runs.shown_rows import ShownRows
from tui.widgets.listing import Listing


class RunListing(Listing[RunSummary]):
    """Posts :class:`Changed` after each change of its rows or selection."""

    class Changed(Message):
        """The rows changed, or which of them are selected."""

    def __init__(self, hosts: bool, id: str) -> None:
        """Show a column with the machine if there are several ``hosts``."""
        self.rows = ShownRows()
        self._hosts = hosts
        self._shown = COLUMNS
        shown = [each.column for each in COLUMNS]
        make = cells(COLUMNS, self.rows.selected, self.rows.gone)
        super().__init__(shown, make, lambda row: row.key, id=id)

    def on_resize(self) -> None:
        """Show the columns that there is room for."""
        self._shown = fitting(self.scrollable_content_region.width, self._hosts)
        make = cells(self._shown, self.rows.selected, self.rows.gone)
        self.set_columns([each.column for each in self._shown], make)
        self.show_order(self._sorted_place, self.rows.order[1])

    @property
    def chosen(self) -> list[RunSummary]:
        """The selected runs; the one at the cursor if there are none."""
        return self.rows.chosen(self.current)

    def take(self, rows: Rows) -> None:
        """Show the rows as read from disk."""
        self.rows.take(rows)
        self._show_rows()

    def sort_by(self, column: int) -> None:
        """Sort by a column, by its place; or reverse its order."""
        self.rows.sort_by(self._shown[column].title)
        self.show_order(self._sorted_place, self.rows.order[1])
        self._show_rows()

    def sort_by_next(self, step: int) -> None:
        """Sort by another column; a ``step`` of 0 reverses the order."""
        place = self._sorted_place
        self.sort_by(((0 if place is None else place) + step) % len(self._shown))

    def filter_by(self, text: str) -> None:
        """Show the rows that pass a filter."""
        self.rows.filter_by(text)
        self._show_rows()

    def toggle(self, step: int = 0) -> None:
        """Select or deselect the run at the cursor, then move by ``step`` rows."""
        if (row := self.current) is not None:
            self.rows.toggle(row)
            self._show_selection()
            self.action_move(step)

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

    @property
    def _sorted_place(self) -> int | None:
        """The place of the column that the rows are sorted by; ``None`` where it is not shown."""
        titles = [each.title for each in self._shown]
        title = self.rows.order[0]
        return titles.index(title) if title in titles else None

    def _show_rows(self) -> None:
        self.set_items(self.rows.visible)
        self.post_message(self.Changed())

    def _show_selection(self) -> None:
        self.refresh_rows()
        self.post_message(self.Changed())
