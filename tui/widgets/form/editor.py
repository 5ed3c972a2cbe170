"""The input line of a field while its value is typed."""

from __future__ import annotations

from textual import on
from textual.message import Message
from textual.widgets import Input

from tui.widgets.form.value_input import ValueInput


class FieldEditor(ValueInput):
    """Ends with enter too, and when another field is focused."""

    class Abandoned(Message):
        """Another field has the focus; the value is kept."""

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_leave(True)

    @on(Input.Blurred)
    def _blurred(self, event: Input.Blurred) -> None:
        event.stop()
        self.call_after_refresh(self._abandon_for_another)

    def _abandon_for_another(self) -> None:
        """Stay when it is the terminal that has lost the focus."""
        focused = self.screen.focused
        if focused is not None and not isinstance(focused, ValueInput):
            self.post_message(self.Abandoned())
