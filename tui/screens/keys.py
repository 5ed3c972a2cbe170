"""All keys of the screen below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import actions_of
from tui.text import literal


class KeysScreen(ModalScreen[None]):
    """A list that any key closes; the keys come from the bindings themselves."""

    CSS_PATH = "keys.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "close", "Close"),
    ]

    def compose(self) -> ComposeResult:
        """The list in a box that scrolls."""
        box = VerticalScroll(id="box")
        box.border_title = "Keys"
        box.border_subtitle = "esc closes"
        with box:
            yield Static(Content("\n").join(self._lines()), id="keys")

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        self.query_one("#box").focus()

    def action_close(self) -> None:
        """Back to the screen below."""
        self.dismiss()

    def _lines(self) -> Iterator[Content]:
        for description, bindings in actions_of(self.app.screen_stack[-2]).items():
            keys = "  ".join(self.app.get_key_display(active.binding) for active in bindings)
            left = literal(keys, 24)
            padded = left.pad_left(24 - left.cell_length)
            yield padded.stylize("bold") + literal("  " + description)
