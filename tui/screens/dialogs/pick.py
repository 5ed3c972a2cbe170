"""A dialog to choose one of many names by a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from tui.format.fuzzy import match
from tui.format.text import literal
from tui.widgets.columns import Column
from tui.widgets.listing import Listing
from tui.widgets.plain_input import PlainInput


class PickScreen(ModalScreen[str | None]):
    """Dismisses the chosen name, ``None`` for none."""

    CSS_PATH = "pick.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("up", "move(-1)", "Line above", show=False),
        Binding("down", "move(1)", "Line below", show=False),
    ]

    def __init__(self, title: str, names: Sequence[str], current: str) -> None:
        super().__init__()
        self._title = title
        self._names = names
        self._current = current

    def compose(self) -> ComposeResult:
        """Yield an input and, below it, the names that match it."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            yield PlainInput(placeholder="a part of the name", compact=True)
            yield Listing[str]([Column("", 20, 200)], self._cells, lambda name: name)

    def on_mount(self) -> None:
        """Move the cursor to the current name."""
        listing = self.query_one(Listing)
        listing.set_items(self._names)
        if self._current in self._names:
            listing.action_move(self._names.index(self._current))
        self.query_one(PlainInput).focus()

    def action_move(self, rows: int) -> None:
        """Move the cursor among the names while the input has the focus."""
        self.query_one(Listing).action_move(rows)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        listing = self.query_one(Listing)
        matches = {name: found for name in self._names if (found := match(event.value, name))}
        listing.set_items(sorted(matches, key=lambda name: matches[name].rank))
        listing.action_move(-len(listing.items))
        none = "" if matches else "No name matches."
        self.query_one("#box").border_subtitle = none

    @on(Input.Submitted)
    @on(Listing.Selected)
    def _chosen(self) -> None:
        if (name := self.query_one(Listing).current) is not None:
            self.dismiss(name)

    def _cells(self, name: str) -> list[Content]:
        return [literal(name).stylize("bold" if name == self._current else "")]
