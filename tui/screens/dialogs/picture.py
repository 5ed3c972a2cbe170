"""Pictures as large as the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from engine.reports.picture import Picture, PictureGroup
from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.pictures.layout import GAP, width_of
from tui.widgets.pictures.sheet import PictureSheet

_AROUND = (6, 5)
"""Columns and lines of the frame and of the caption."""


_TITLE = 40


class PictureScreen(Dialog[None]):
    """One picture, or a few side by side."""

    CSS_PATH = "picture.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss(None)", "Close"),
    ]

    def __init__(self, pictures: Sequence[Picture]) -> None:
        super().__init__()
        self._pictures = tuple(pictures)

    def compose(self) -> ComposeResult:
        """Yield the pictures."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._pictures[0].words, 100)
            box.border_subtitle = "esc closes"
            yield PictureSheet()

    def on_resize(self) -> None:
        """Draw the pictures as large as there is room."""
        width, height = (room - around for room, around in zip(self.size, _AROUND, strict=True))
        each = width // len(self._pictures) - GAP
        side = max(1, min(each, 2 * height))
        sheet = self.query_one(PictureSheet)
        wide = sum(width_of(picture, side) + GAP for picture in self._pictures)
        sheet.styles.width = max(_TITLE, wide)
        sheet.show([PictureGroup("", self._pictures)], side)
