"""Choosing any number of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import tomlkit
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import SelectionList
from textual.widgets.selection_list import Selection

from tui.screens.dialog import Dialog
from tui.text import literal
from tui.widgets.hints import Hints


class SeveralScreen(Dialog[str | None]):
    """Boxes to tick; dismisses the ticked values as TOML takes them, ``None`` for no change."""

    CSS_PATH = "choice.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("enter", "take", "Done", priority=True),
        Binding("j", "move('cursor_down')", "Down", show=False),
        Binding("k", "move('cursor_up')", "Up", show=False),
        Binding("g", "move('first')", "First", show=False),
        Binding("G", "move('last')", "Last", show=False),
        Binding("ctrl+d", "move('page_down')", "Page down", show=False),
        Binding("ctrl+u", "move('page_up')", "Page up", show=False),
    ]

    def __init__(self, title: str, options: Mapping[str, str], chosen: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._options = options
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        """The list."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            yield SelectionList(*map(self._selection, self._options), compact=True)
            yield Hints(
                ("space", "space ticks"), ("enter", "enter takes"), ("escape", "esc goes back")
            )

    def _selection(self, value: str) -> Selection[str]:
        line = literal(value) + literal(f"  {self._options[value]}").stylize("$text-muted")
        return Selection(line, value, value in self._chosen)

    def action_take(self) -> None:
        """Take what is ticked."""
        ticked = set(self.query_one(SelectionList).selected)
        self.dismiss(list_text([value for value in self._options if value in ticked]))

    def action_move(self, action: str) -> None:
        """Mark another value."""
        getattr(self.query_one(SelectionList), f"action_{action}")()


def list_text(values: Sequence[str]) -> str:
    """Values as a list that is read back as it was, whatever is in them."""
    return str(tomlkit.item(list(values)).as_string())
