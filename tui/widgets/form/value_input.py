"""The line in which a value is typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.widgets.plain_input import PlainInput


class ValueInput(PlainInput):
    """An input without frame; ``tab`` takes a suggestion or goes on to the next field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave(False)", "Undo typing"),
        Binding("tab", "complete", "Complete, next field", show=False),
        Binding("shift+tab", "step(-1)", "Previous field", show=False),
    ]

    @dataclass
    class Left(Message):
        """Editing has ended."""

        keep: bool
        step: int = 0
        """Where to go: 1 to the next field, -1 to the one before."""

    def action_leave(self, keep: bool) -> None:
        """Stop editing."""
        self.post_message(self.Left(keep))

    def action_step(self, step: int) -> None:
        """Keep the value and go to another field."""
        self.post_message(self.Left(True, step))

    def action_complete(self) -> None:
        """Take what is suggested, if anything is."""
        if self._suggestion and self._suggestion != self.value:
            self.value = self._suggestion
            self.cursor_position = len(self.value)
        else:
            self.action_step(1)
