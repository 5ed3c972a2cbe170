"""Inputs that were tried and the models' answers to them, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.errors import UserError
from engine.reports.gallery import Gallery
from engine.reports.note_table import notes_in, sentence
from engine.reports.picture import Picture, PictureGroup
from tui.format.records import NARROW_BAR, WIDE_BAR, answer_lines
from tui.format.text import literal
from tui.widgets.gallery import GalleryPanel
from tui.widgets.gallery_rows import GalleryRows
from tui.widgets.pictures.sheet import SIDE, PictureSheet
from tui.widgets.question import Answer

_CELL = 24
"""Characters of a text of a row that are shown beside its prediction."""
KEPT = 20
"""Number of exchanges that stay on the screen."""


class Reply(Vertical):
    """One model's answer."""

    def __init__(self, title: Content) -> None:
        super().__init__()
        self._title = title
        self._answer = Static(Content.styled("…", "$text-muted"))
        self.forecasts: GalleryPanel | None = None
        """Charts of the answer, where it is a forecast."""

    def compose(self) -> ComposeResult:
        """Yield a placeholder until the answer comes."""
        if self._title:
            yield Static(self._title)
        yield self._answer

    def show(self, answer: Answer | UserError) -> None:
        """Write the answer; draw it where it is an image or a forecast."""
        if isinstance(answer, UserError):
            self._answer.update(literal(answer, 1000).stylize("$text-error"))
            return
        records: Sequence[Mapping[str, Any]] = answer["records"]
        notes = [literal(sentence(note), 500).stylize("$text-warning") for note in notes_in(answer)]
        shown = _with_rows(records, answer.get("beside") or ())
        bar = NARROW_BAR if self._title else WIDE_BAR
        lines = answer_lines(shown, bar, answer.get("count"))
        self._answer.update(Content("\n").join([*notes, *lines]))
        if pictures := answer.get("pictures"):
            group = PictureGroup("", tuple(Picture(**one) for one in pictures))
            sheet = PictureSheet(self._side(len(group.pictures)))
            self.mount(sheet, before=self._answer)
            sheet.call_after_refresh(sheet.show, [group])
        if answer.get("gallery"):
            gallery = Gallery.from_record(answer["gallery"])
            self.forecasts = GalleryPanel(gallery, GalleryRows(gallery.listed()))
            self.mount(self.forecasts, before=self._answer)

    def _side(self, count: int) -> int:
        """Return the width of pictures in cells: a single one is half as high as the screen."""
        half = self.screen.size.height // 2  # a cell is twice as high as it is wide
        room = min(2 * (half - 1), self.size.width or SIDE)
        return max(SIDE, room) if count == 1 else SIDE


def _with_rows(
    records: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """Return records behind what tells the rows of their file apart, such as an id."""
    if len(rows) != len(records):
        return records
    return [
        {name: _shortened(value) for name, value in row.items() if name not in record}
        | dict(record)
        for row, record in zip(rows, records, strict=True)
    ]


def _shortened(value: object) -> object:
    return f"{value[: _CELL - 1]}…" if isinstance(value, str) and len(value) > _CELL else value


class Exchange(Vertical):
    """An input, and below it the models' answers side by side."""

    def __init__(self, asked: Content, runs: Sequence[str]) -> None:
        super().__init__()
        self._asked = asked
        titles = [literal(run, 64).stylize("underline") for run in runs if len(runs) > 1]
        self.replies = [Reply(title) for title in titles] or [Reply(Content(""))]

    def compose(self) -> ComposeResult:
        """Yield one reply a model."""
        yield Static(self._asked)
        yield Horizontal(*self.replies)


class Exchanges(VerticalScroll, can_focus=False):
    """The latest exchanges, of which the newest one is in sight."""

    _followed: Exchange | None = None
    """The one that stays in sight while its answers come."""
    _height = 0
    """Height of all exchanges when it was last scrolled to."""

    def on_mount(self) -> None:
        """Look after each layout whether there is more, as images that are drawn after an answer.

        Widgets miss ``Resize`` where something asks for their region before the layout.
        """
        self.screen.screen_layout_refresh_signal.subscribe(self, self._follow)

    async def add(self, exchange: Exchange) -> None:
        """Show an exchange below the others; the oldest one makes room."""
        for old in list(self.query(Exchange))[: -KEPT + 1]:
            await old.remove()
        await self.mount(exchange)
        self.go_to(exchange)

    def go_to(self, exchange: Exchange) -> None:
        """Scroll to its start, with as much of the earlier exchanges as there is room for."""
        self._followed = exchange
        self.call_after_refresh(self.scroll_to_widget, exchange, top=True, animate=False)

    def _follow(self, _: object) -> None:
        if self._followed is not None and self.virtual_size.height != self._height:
            self._height = self.virtual_size.height
            self.go_to(self._followed)

    def turn(self, pages: int) -> None:
        """Scroll by pages."""
        self._followed = None
        self.scroll_relative(y=pages * (self.size.height - 1), animate=False)
