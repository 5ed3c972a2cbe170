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
        for description, keys in self._keys().items():
            yield literal("  ".join(keys)[:24].rjust(24)).stylize("bold") + literal(
                "  " + description
            )

    def _keys(self) -> dict[str, list[str]]:
        """What can be done below, with the keys that do it; the screen's own come first."""
        below = self.app.screen_stack[-2]
        found: dict[str, list[str]] = {}
        own_first = sorted(
            below.active_bindings.values(), key=lambda active: active.node is not below
        )
        for active in own_first:
            binding = active.binding
            if binding.description and active.enabled:
                found.setdefault(binding.description, []).append(self.app.get_key_display(binding))
        return found
