"""A dialog to choose any number of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import tomlkit
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from tui.format.text import literal
from tui.widgets.columns import Column
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.listing import Listing

_COLUMNS = (Column("", 3, 3), Column("Value", 12, 40), Column("", 10, 200))


class SeveralScreen(Dialog[str | None]):
    """Values to tick; dismisses the ticked ones as TOML takes them, ``None`` for no change."""

    CSS_PATH = "choice.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", "Tick"),
        Binding("enter", "take", "Take"),
        Binding("escape", "dismiss(None)", "Back"),
    ]

    def __init__(self, title: str, options: Mapping[str, str], chosen: Sequence[str]) -> None:
        super().__init__()
        self._title = title
        self._options = options
        self._ticked = set(chosen)

    def compose(self) -> ComposeResult:
        """Yield the list."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            listing = Listing[str](_COLUMNS, self._cells, lambda value: value, choosable=False)
            listing.styles.height = len(self._options) + 1
            yield listing
            yield Hints(
                ("space", "space ticks"), ("enter", "enter takes"), ("escape", "esc goes back")
            )

    def on_mount(self) -> None:
        """Show the values."""
        self._listing.set_items(list(self._options))
        self._listing.focus()

    @property
    def _listing(self) -> Listing[str]:
        return self.query_one(Listing)

    def _cells(self, value: str) -> list[Content]:
        ticked = value in self._ticked
        return [
            Content.styled("[x]", "bold $success") if ticked else Content.styled("[ ]", "dim"),
            literal(value).stylize("bold" if ticked else ""),
            literal(self._options[value]).stylize("$text-muted"),
        ]

    def action_tick(self) -> None:
        """Toggle the value at the cursor."""
        value = self._listing.current
        if value is not None:
            self._ticked ^= {value}
            self._listing.set_items(self._listing.items)

    def action_take(self) -> None:
        """Close with the ticked values."""
        self.dismiss(list_text([value for value in self._options if value in self._ticked]))


def list_text(values: Sequence[str]) -> str:
    """Return values as a list that parses back unchanged, whatever is in them."""
    return str(tomlkit.item(list(values)).as_string())
