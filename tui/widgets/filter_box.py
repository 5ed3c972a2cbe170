"""The input of a filter beside a list of rows, hidden until it is needed."""

from __future__ import annotations

from textual.widget import Widget

from tui.widgets.plain_input import PlainInput


class FilterBox(PlainInput):
    """Returns the focus to the rows when the filter is entered or cleared."""

    def __init__(
        self, rows: Widget, placeholder: str, id: str | None = None, compact: bool = False
    ) -> None:
        super().__init__(placeholder=placeholder, id=id, compact=compact)
        self._rows = rows

    def open(self) -> None:
        """Show and focus the input."""
        self.display = True
        self.focus()

    def close(self) -> None:
        """Clear and hide the filter, and focus the rows."""
        self.value = ""
        self.display = False
        self._rows.focus()

    def on_input_submitted(self, event: PlainInput.Submitted) -> None:
        """Focus the rows; the filter stays."""
        event.stop()
        self._rows.focus()
