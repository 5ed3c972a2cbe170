"""A sheet of pictures with a cursor."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.widget import Widget
from typing_extensions import override

from engine.reports.picture import Picture
from tui.widgets.pictures.layout import GAP, width_of
from tui.widgets.pictures.sheet import PictureSheet


class PictureExplorer(PictureSheet, can_focus=True):
    """Keys move the cursor from picture to picture; enter enlarges the one at it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Previous picture", show=False),
        Binding("right,l", "move(1)", "Next picture", show=False),
        Binding("up,k", "move_row(-1)", "Row above", show=False),
        Binding("down,j", "move_row(1)", "Row below", show=False),
        Binding("home,g", "move(-1000000)", "First picture", show=False),
        Binding("end,G", "move(1000000)", "Last picture", show=False),
        Binding("enter", "enlarge", "Enlarge"),
    ]

    class Moved(Message):
        """The cursor moved to another picture."""

    @dataclass
    class Enlarged(Message):
        """A picture is to be seen alone."""

        picture: Picture

    @property
    def current(self) -> Picture | None:
        """The picture at the cursor."""
        found = self.pictures
        return found[self.cursor] if self.cursor is not None and found else None

    @override
    def settle(self) -> None:
        """Keep the cursor on its place, as far as there is one."""
        self.cursor = min(self.cursor or 0, max(0, len(self.pictures) - 1))
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        """Move the cursor, and scroll to it."""
        self._point((self.cursor or 0) + step)

    def action_move_row(self, step: int) -> None:
        """Move the cursor to the picture above or below."""
        rows = [row for row in self.laid_out(self.size.width) if row.pictures]
        cursor = self.cursor or 0
        place = bisect_right(rows, cursor, key=lambda row: row.first) - 1
        if 0 <= place + step < len(rows):
            column, row = cursor - rows[place].first, rows[place + step]
            self._point(row.first + min(column, len(row.pictures) - 1))

    def action_enlarge(self) -> None:
        """Show the picture at the cursor alone."""
        if self.current is not None:
            self.post_message(self.Enlarged(self.current))

    def on_click(self, event: events.Click) -> None:
        """Enlarge the picture that is clicked."""
        at = event.get_content_offset(self)
        rows = self.laid_out(self.size.width)
        row = next((r for r in rows if at and r.top <= at.y < r.top + r.height), None)
        right = 0
        for place, picture in enumerate(row.pictures if row else ()):
            right += width_of(picture, self.side) + GAP if self.draws else self.size.width
            if row and at and at.x < right:
                self._point(row.first + place)
                self.action_enlarge()
                return

    def _point(self, place: int) -> None:
        """Move the cursor to a picture, or the nearest that there is."""
        place = max(0, min(place, len(self.pictures) - 1))
        if place == self.cursor:
            return
        self.mark(place)
        self.post_message(self.Moved())
        row = next(row for row in self.laid_out(self.size.width) if row.holds(place))
        region = Region(0, row.top, 1, row.height).translate(self.virtual_region.offset)
        if isinstance(self.parent, Widget):
            self.parent.scroll_to_region(region, animate=False)
