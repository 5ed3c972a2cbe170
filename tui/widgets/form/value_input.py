"""The input line of a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.widgets.plain_input import PlainInput


class ValueInput(PlainInput):
    """An input without frame; ``tab`` takes a suggestion or moves to the next field."""

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
        """Step to the next focus: 1 for the next field, -1 for the previous one."""

    def action_leave(self, keep: bool) -> None:
        """Stop editing."""
        self.post_message(self.Left(keep))

    def action_step(self, step: int) -> None:
        """Keep the value and move to another field."""
        self.post_message(self.Left(True, step))

    async def action_complete(self) -> None:
        """Take the suggestion, if there is one."""
        completed = None
        if self.suggester and self.value:
            completed = await self.suggester.get_suggestion(self.value)
        if completed:
            self.value = completed
            self.cursor_position = len(completed)
        else:
            self.action_step(1)
