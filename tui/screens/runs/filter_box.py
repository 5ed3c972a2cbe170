"""The input of a filter below the list of runs, hidden until it is needed."""

from __future__ import annotations

from textual import events

from tui.screens.runs.run_listing import RunListing
from tui.widgets.plain_input import PlainInput

_EXAMPLES = "words, task:image, state:running, tag:…, accuracy>0.9"


class FilterBox(PlainInput):
    """Filters the list while it is typed."""

    def __init__(self, listing: RunListing, id: str) -> None:
        super().__init__(placeholder=_EXAMPLES, id=id)
        self._listing = listing

    def open(self) -> None:
        """Show and focus the input."""
        self.display = True
        self.focus()

    def close(self) -> None:
        """Clear and hide the filter, and focus the rows."""
        self.value = ""
        self.display = False
        self._listing.focus()

    def on_input_changed(self, event: PlainInput.Changed) -> None:
        """Filter while typing."""
        self._listing.filter_by(event.value)

    def on_input_submitted(self) -> None:
        """Focus the rows; the filter stays."""
        self._listing.focus()

    def on_key(self, event: events.Key) -> None:
        """Move from the filter to the rows."""
        if event.key == "down":
            self._listing.focus()
