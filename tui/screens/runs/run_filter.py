"""The filter below the list of runs."""

from __future__ import annotations

from textual import events

from tui.screens.runs.run_listing import RunListing
from tui.widgets.filter_box import FilterBox
from tui.widgets.plain_input import PlainInput

_EXAMPLES = "words, task:image, state:running, tag:…, accuracy>0.9"


class RunFilter(FilterBox):
    """Filters the list while it is typed."""

    def __init__(self, listing: RunListing, id: str) -> None:
        super().__init__(listing, _EXAMPLES, id)
        self._listing = listing

    def on_input_changed(self, event: PlainInput.Changed) -> None:
        """Filter while typing."""
        self._listing.filter_by(event.value)

    def on_key(self, event: events.Key) -> None:
        """Move from the filter to the rows."""
        if event.key == "down":
            self._listing.focus()

    def clear(self) -> None:
        """Deselect all runs; where none was selected, show those that the filter hid."""
        if not self._listing.deselect_all():
            self.close()
