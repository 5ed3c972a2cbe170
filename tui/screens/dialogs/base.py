"""A dialog with text to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.scrolling import Scrolling


class ReadScreen(Dialog[None]):
    """Text to read in a box that scrolls."""

    CSS_PATH = "dialog.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss(None)", "Close"),
    ]

    only_reads = True
    """Whether it shows text to read: a second one is not put on top."""

    def __init__(self, title: str, lines: Sequence[Content]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines

    def compose(self) -> ComposeResult:
        """Yield the text."""
        with Scrolling(id="box") as box:
            box.border_title = literal(self._title)
            box.border_subtitle = "esc closes"
            yield Static(Content("\n").join(self._lines), id="text")

    def on_mount(self) -> None:
        """Focus the text, so that the arrow keys scroll."""
        self.query_one("#box").focus()
