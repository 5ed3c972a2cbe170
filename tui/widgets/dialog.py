"""The base class of dialogs."""

from __future__ import annotations

from typing import TypeVar

from textual import events
from textual.screen import ModalScreen

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """A click beside the box is as ``escape``."""

    def on_click(self, event: events.Click) -> None:
        """Go back, unless the click was in the box."""
        if event.widget is self:
            self.app.simulate_key("escape")
