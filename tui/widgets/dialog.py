"""The base class of dialogs."""

from __future__ import annotations

from typing import TypeVar

from textual import events
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A modal dialog; a click outside the box is like ``escape``."""

    def on_click(self, event: events.Click) -> None:
        """Close the dialog, unless the click was in the box."""
        if event.widget is self:
            self.app.simulate_key("escape")
