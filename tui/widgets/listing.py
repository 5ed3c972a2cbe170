"""A virtual list: only the rows on the screen are rendered, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from typing_extensions import override

from tui.terminal.textual_private import request_paint
from tui.widgets.columns import Column, column_at, headings, row_strip
from tui.widgets.pictures.drawn_lines import DrawnLines
from tui.widgets.scrolling import SamePlace

T = TypeVar("T")


class Listing(SamePlace, Generic[T], can_focus=True):
    """Rows under a heading; the cursor stays on its row when rows are added."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"listing--cursor", "listing--heading"}
    DEFAULT_CSS = """
    Listing {
        height: 1fr;
        .listing--cursor { background: $primary 25%; }
        .listing--heading { color: $text-muted; text-style: bold; }
        &:focus .listing--cursor { background: $primary 55%; color: $foreground; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Row above", show=False),
        Binding("down,j", "move(1)", "Row below", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page above", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page below", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("home,g", "move(-1000000000)", "First row", show=False),
        Binding("end,G", "move(1000000000)", "Last row", show=False),
        Binding("enter", "select", "Open"),
    ]

    class Selected(Message):
        """The row at the cursor was selected, by enter or a second click."""

    class Moved(Message):
        """The cursor moved to another row."""

    @dataclass
    class HeadingClicked(Message):
        """The heading of a column was clicked."""

        column: int

    @dataclass
    class CellClicked(Message):
        """A cell of the row at the cursor was clicked."""

        column: int

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[T], Sequence[Content]],
        key: Callable[[T], object],
        *,
        choosable: bool = True,
        id: str | None = None,
    ) -> None:
        """Show rows with ``cells`` as the cells of a row and ``key`` as its identity.

        If not ``choosable``, rows cannot be selected.
        """
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._cells = cells
        self._key = key
        self._choosable = choosable
        self._lines = DrawnLines(self, self._line)
        self._order: tuple[int, bool] | None = None
        self.items: Sequence[T] = ()
        """The rows, changed by :meth:`set_items` only."""
        self.cursor = 0

    @property
    def current(self) -> T | None:
        """The row at the cursor."""
        return self.items[self.cursor] if self.cursor < len(self.items) else None

    def set_columns(
        self, columns: Sequence[Column], cells: Callable[[T], Sequence[Content]]
    ) -> None:
        """Change the columns."""
        self._cells = cells
        self._lines.drop_made()
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self.refresh()

    def show_order(self, column: int | None, descending: bool) -> None:
        """Mark the column that the rows are sorted by; none where it is not shown."""
        self._order = (column, descending) if column is not None else None
        self.refresh_rows()

    def set_items(self, items: Sequence[T]) -> None:
        """Change the rows; only the cells that differ are sent to the terminal."""
        current = self.current
        self.items = items
        if current is not None:
            key = self._key(current)
            place = next((i for i, item in enumerate(items) if self._key(item) == key), self.cursor)
            self.cursor = max(0, min(place, len(items) - 1))
        self.virtual_size = Size(0, len(items) + 1)
        self.refresh_rows()
        self._tell_if_moved(current)

    def refresh_rows(self) -> None:
        """Redraw the rows with their current cells."""
        self._lines.refresh()
        # Checked now, not when this widget is idle: that may be after the screen has painted.
        request_paint(self)

    @override
    def render_line(self, y: int) -> Strip:
        """Return a line on the screen; the first is the heading."""
        return self._lines.draw(y)

    def action_move(self, rows: int) -> None:
        """Move the cursor, and scroll to it."""
        before = self.current
        self.cursor = max(0, min(self.cursor + rows, len(self.items) - 1))
        top, room = self.scroll_offset.y, max(1, self.size.height - 1)
        if not top <= self.cursor < top + room:
            target = self.cursor if self.cursor < top else self.cursor - room + 1
            self.scroll_to(y=target, animate=False, immediate=True)
        self.refresh_rows()
        self._tell_if_moved(before)

    def action_page(self, pages: float) -> None:
        """Move the cursor by screen pages."""
        self.action_move(int(pages * max(2, self.size.height - 2)))

    def action_select(self) -> None:
        """Select the row at the cursor."""
        if self.current is not None:
            self.post_message(self.Selected())

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether enter selects the row, or is left to the screen."""
        del parameters
        return self._choosable if action == "select" else True

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the mouse; a second click selects."""
        at = event.get_content_offset(self)
        if at is None:
            return
        column = column_at(self._columns, at.x, self.scrollable_content_region.width)
        row = at.y - 1 + self.scroll_offset.y
        if at.y == 0:
            self.post_message(self.HeadingClicked(column))
        elif row < len(self.items):
            self.action_move(row - self.cursor)
            if event.chain == 2 and self._choosable:
                self.action_select()
            else:
                self.post_message(self.CellClicked(column))

    @override
    def notify_style_update(self) -> None:
        """Drop what was drawn in other colours."""
        super().notify_style_update()
        self._lines.forget()

    def _tell_if_moved(self, before: T | None) -> None:
        now = self.current
        if (before and self._key(before)) != (now and self._key(now)):
            self.post_message(self.Moved())

    def _line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        row = y - 1 + self.scroll_offset.y
        if y == 0:
            style = self.get_visual_style("listing--heading")
            cells: Sequence[Content] = headings(self._columns, width, self._order)
        elif row < len(self.items):
            at_cursor = row == self.cursor
            style = self.get_visual_style("listing--cursor") if at_cursor else self.visual_style
            cells = self._cells(self.items[row])
        else:
            return Strip.blank(width, self.visual_style.rich_style)
        return row_strip(self._columns, cells, width, style, self.app.stylesheet.parse_style)
