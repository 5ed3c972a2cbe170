"""A virtual list: only the rows on the screen are rendered, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.style import Style
from typing_extensions import override

from tui.charts.canvas import difference
from tui.terminal.textual_private import request_paint
from tui.widgets.scrolling import SamePlace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and its minimum and maximum width in cells."""

    title: str
    least: int
    most: int
    right: bool = False
    """Whether it is right-aligned, like numbers."""


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
        self._items: Sequence[T] = ()
        self._drawn: dict[int, Strip] = {}
        self._made: dict[int, Strip] = {}
        self._view = (0, 0)
        self._order: tuple[int, bool] | None = None
        self.cursor = 0

    @property
    def items(self) -> Sequence[T]:
        """The rows."""
        return self._items

    @property
    def current(self) -> T | None:
        """The row at the cursor."""
        return self._items[self.cursor] if self.cursor < len(self._items) else None

    def set_columns(
        self, columns: Sequence[Column], cells: Callable[[T], Sequence[Content]]
    ) -> None:
        """Change the columns."""
        self._cells = cells
        self._made.clear()
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self.refresh()

    def show_order(self, column: int, descending: bool) -> None:
        """Mark the column that the rows are sorted by."""
        self._order = column, descending
        self._refresh_changed()

    def set_items(self, items: Sequence[T]) -> None:
        """Change the rows; only the cells that differ are sent to the terminal."""
        current = self.current
        self._items = items
        if current is not None:
            key = self._key(current)
            place = next((i for i, item in enumerate(items) if self._key(item) == key), self.cursor)
            self.cursor = max(0, min(place, len(items) - 1))
        self.virtual_size = Size(0, len(items) + 1)
        self._refresh_changed()
        self._tell_if_moved(current)

    def refresh_rows(self) -> None:
        """Redraw the rows with their current cells."""
        self._refresh_changed()

    @override
    def render_line(self, y: int) -> Strip:
        """Return a line on the screen; the first is the heading."""
        made = self._made.pop(y, None) if self._view == self._seen() else None
        strip = self._drawn[y] = made or self._line(y)
        return strip

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        before = self.current
        self.cursor = max(0, min(self.cursor + rows, len(self._items) - 1))
        self._follow_cursor()
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
        column = self._column_at(at.x)
        row = at.y - 1 + self.scroll_offset.y
        if at.y == 0:
            self.post_message(self.HeadingClicked(column))
        elif row < len(self._items):
            self.action_move(row - self.cursor)
            if event.chain == 2 and self._choosable:
                self.action_select()
            else:
                self.post_message(self.CellClicked(column))

    @override
    def notify_style_update(self) -> None:
        """Drop what was drawn in other colours."""
        super().notify_style_update()
        self._drawn.clear()
        self._made.clear()

    def _column_at(self, x: int) -> int:
        """Return the column at a cell; the gap behind a column belongs to it."""
        room = self.scrollable_content_region.width
        ends = accumulate(width + 1 for width in widths_of(self._columns, room))
        return next((i for i, end in enumerate(ends) if x < end), len(self._columns) - 1)

    def _tell_if_moved(self, before: T | None) -> None:
        now = self.current
        if (before and self._key(before)) != (now and self._key(now)):
            self.post_message(self.Moved())

    def _follow_cursor(self) -> None:
        top, room = self.scroll_offset.y, max(1, self.size.height - 1)
        if not top <= self.cursor < top + room:
            target = self.cursor if self.cursor < top else self.cursor - room + 1
            self.scroll_to(y=target, animate=False, immediate=True)
        self._refresh_changed()

    def _refresh_changed(self) -> None:
        """Redraw the lines that differ; lines rendered for the comparison are kept."""
        self._view, self._made = self._seen(), {}
        for y in range(self.size.height):
            old, new = self._drawn.get(y), self._line(y)
            if old != new:
                whole = Region(0, y, self.size.width, 1)
                self.refresh(whole if old is None else difference(y, old, new))
                self._made[y] = new
        # Checked now, not when this widget is idle: that may be after the screen has painted.
        request_paint(self)

    def _seen(self) -> tuple[int, int]:
        """Return the visible part: the first row and the width."""
        return self.scroll_offset.y, self.scrollable_content_region.width

    def _line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        row = y - 1 + self.scroll_offset.y
        if y == 0:
            style = self.get_visual_style("listing--heading")
            cells: Sequence[Content] = self._headings(width)
        elif row < len(self._items):
            at_cursor = row == self.cursor
            style = self.get_visual_style("listing--cursor") if at_cursor else self.visual_style
            cells = self._cells(self._items[row])
        else:
            return Strip.blank(width, self.visual_style.rich_style)
        strip = Strip(filter(None, self._segments(cells, width, style))).simplify()
        return strip.crop_extend(0, width, style.rich_style)

    def _headings(self, width: int) -> list[Content]:
        titles = [column.title for column in self._columns]
        if self._order is not None:
            place, descending = self._order
            room = widths_of(self._columns, width)[place]
            titles[place] = titles[place][: room - 1] + ("▼" if descending else "▲")
        return list(map(Content, titles))

    def _segments(self, cells: Sequence[Content], width: int, style: Style) -> Iterator[Segment]:
        """Yield the segments of the cells side by side.

        Most have no style of their own and are joined as text, which is faster.
        """
        text, widths = "", widths_of(self._columns, width)
        parts = zip(cells, widths, self._columns, strict=True)
        for place, (cell, room, column) in enumerate(parts):
            text += " " * (place > 0)
            if not cell.spans:
                text += _fit_text(cell.plain, room, column.right)
                continue
            yield Segment(text, style.rich_style)
            text = ""
            fitted = _fit(cell, room, column.right)
            for part, own in fitted.render(style, "", self.app.stylesheet.parse_style):
                yield Segment(part, own.rich_style)
        yield Segment(text, style.rich_style)


def _fit_text(text: str, width: int, right: bool) -> str:
    room = width - cell_len(text)
    if room < 0:
        return set_cell_size(text, width - 1) + "…"
    return " " * room + text if right else text + " " * room


def _fit(cell: Content, width: int, right: bool) -> Content:
    cut = cell.truncate(width, ellipsis=True)
    room = width - cut.cell_length
    return cut.pad_left(room) if right else cut.pad_right(room)


@lru_cache
def widths_of(columns: tuple[Column, ...], width: int) -> tuple[int, ...]:
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
