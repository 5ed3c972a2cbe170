"""Pictures side by side, in colour; in words where the terminal cannot show them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from typing_extensions import override

from engine.reports.picture import Picture, PictureGroup
from tui.charts.half_blocks import rows_of, side_by_side
from tui.charts.pictures import Drawing
from tui.format.text import literal
from tui.widgets.columns import fit
from tui.widgets.pictures.layout import GAP, Row, rows_in, width_of

SIDE = 16
"""Cells of a picture's width, unless another one is asked for."""
_HALF_BLOCKS = Drawing()
_SLOW_SHARE, _LEAST = 3, 8
"""Over a slow connection, pictures are a third as wide, but this wide at least."""


def drawing_of(app: App[object]) -> Drawing:
    """Return how an application draws pictures."""
    drawing: Drawing = getattr(app, "drawing", _HALF_BLOCKS)
    return drawing


class PictureSheet(Widget):
    """As high as its pictures need; they are drawn in a thread, each once."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"sheet--title", "sheet--caption", "sheet--chosen"}
    DEFAULT_CSS = """
    PictureSheet {
        width: 1fr;
        height: auto;
        .sheet--title { text-style: bold; }
        .sheet--caption { color: $text-muted; }
        .sheet--chosen { background: $primary; color: $background; text-style: bold; }
    }
    """

    @dataclass
    class Drawn(Message, bubble=False):
        """The pictures were drawn."""

        groups: Sequence[PictureGroup]

    def __init__(self, side: int = SIDE, *, id: str | None = None) -> None:
        """``side`` is the width of a picture in cells; over a slow connection it is less."""
        super().__init__(id=id)
        self._side = side
        self._groups: Sequence[PictureGroup] = ()
        self._rows: list[Row] = []
        self._laid_out_for: object = None
        self._lines: dict[int, list[Strip]] = {}
        self.cursor: int | None = None
        """Number of the picture that is marked."""

    @property
    def side(self) -> int:
        """The width of a picture in cells."""
        slow = getattr(self.app, "slow_link", False)
        return max(_LEAST, self._side // _SLOW_SHARE) if slow else self._side

    @property
    def draws(self) -> bool:
        """Whether the terminal can show pictures."""
        return bool(getattr(self.app, "draws_pictures", False))

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in order."""
        return [picture for group in self._groups for picture in group.pictures]

    def show(self, groups: Sequence[PictureGroup], side: int | None = None) -> None:
        """Show pictures, at another width if ``side`` is given."""
        self._side = self._side if side is None else side
        work = partial(self._draw, groups, self.side if self.draws else 0, drawing_of(self.app))
        self.run_worker(work, thread=True, group="pictures", exclusive=True)

    def _draw(self, groups: Sequence[PictureGroup], side: int, drawing: Drawing) -> None:
        """Draw all pictures, in a thread; their lines are kept."""
        for group in groups if side else ():
            for picture in group.pictures:
                drawing.strips(picture, width_of(picture, side))
        self.post_message(self.Drawn(groups))

    def on_picture_sheet_drawn(self, event: Drawn) -> None:
        """Lay the pictures out."""
        self._groups = event.groups
        self._laid_out_for = None
        self.settle()
        rows = self.laid_out(self.size.width)
        height = rows[-1].top + rows[-1].height if rows else 0
        grows = bool(self.styles.auto_dimensions) and height != self.size.height
        # Another size is painted by the layout: with both, all pictures would be sent twice.
        self.refresh(layout=grows, repaint=not grows)

    def settle(self) -> None:
        """Prepare for other pictures before they are laid out."""

    @override
    def notify_style_update(self) -> None:
        """Draw again: colours may mean something else now."""
        super().notify_style_update()
        self._lines.clear()

    @override
    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of the sheet; called by Textual."""
        rows = self.laid_out(width)
        return rows[-1].top + rows[-1].height if rows else 0

    @override
    def render_line(self, y: int) -> Strip:
        """Return a line; called by Textual."""
        width, style = self.size.width, self.visual_style.rich_style
        rows = self.laid_out(width)
        place = bisect_right(rows, y, key=lambda row: row.top) - 1
        if place < 0:
            return Strip.blank(width, style)
        if place not in self._lines:
            self._lines[place] = self._drawn(rows[place], width)
        lines, line = self._lines[place], y - rows[place].top
        return (lines[line] if line < len(lines) else Strip.blank(0)).adjust_cell_length(
            width, style
        )

    def laid_out(self, width: int) -> list[Row]:
        """Return the rows of a sheet ``width`` cells wide."""
        wanted = width, self.side, self.draws, drawing_of(self.app)
        if self._laid_out_for != wanted:
            self._laid_out_for = wanted
            self._rows = rows_in(self._groups, width, self.side, self.draws)
            self._lines.clear()
        return self._rows

    def mark(self, place: int | None) -> None:
        """Move the cursor; only its line under the two pictures is sent to the terminal."""
        changed = {self.cursor, place}
        self.cursor = place
        for number, row in enumerate(self.laid_out(self.size.width)):
            if any(place is not None and row.holds(place) for place in changed):
                self._lines.pop(number, None)
                self.refresh(Region(0, row.top + row.height - 1, self.size.width, 1))

    def _drawn(self, row: Row, width: int) -> list[Strip]:
        """Return the lines of a row."""
        if row.title:
            title = self._text(literal(row.title), width, "sheet--title")
            if row.colour is None or not self.draws:
                return [title]
            mark = Segment("■ ", Style(color=Color.from_rgb(*row.colour)))
            return [Strip([mark, *title])]
        marks = [
            "sheet--chosen" if place == self.cursor else "sheet--caption"
            for place in range(row.first, row.first + len(row.pictures))
        ]
        if not self.draws:
            words = literal("  " + row.pictures[0].words)
            return [self._text(words, width, marks[0])]
        widths = [width_of(picture, self.side) for picture in row.pictures]
        parts = [
            [
                *drawing_of(self.app).strips(picture, wide, self.visual_style.rich_style),
                *[Strip.blank(0)] * (row.height - 1 - rows_of(picture, wide)),
                self._text(literal(picture.caption if row.captions else ""), wide, mark),
            ]
            for picture, wide, mark in zip(row.pictures, widths, marks, strict=True)
        ]
        return list(side_by_side(parts, widths, GAP, self.visual_style.rich_style))

    def _text(self, text: Content, width: int, name: str) -> Strip:
        style = self.get_visual_style(name).rich_style
        return Strip([Segment(fit(text, width).plain, style)])
