"""The run that the cursor of the list goes to."""

from __future__ import annotations

from tui.screens.runs.run_listing import RunListing


class CursorTarget:
    """Puts the cursor on a run as soon as it is listed, unless the cursor is moved before."""

    def __init__(self, listing: RunListing) -> None:
        self._listing = listing
        self._wanted = ""
        self._from = ""

    def choose(self, run: str) -> None:
        """Go to the run with this id."""
        self._wanted, self._from = run, self._current
        self.apply()

    def apply(self) -> None:
        """Go to the run if it is listed now."""
        if not self._wanted:
            return
        self._from = self._from or self._current
        if self._current != self._from:
            self._wanted = ""
            return
        items = self._listing.items
        place = next((i for i, row in enumerate(items) if row.id == self._wanted), None)
        if place is not None:
            self._listing.action_move(place - self._listing.cursor)
            self._wanted = ""

    @property
    def _current(self) -> str:
        row = self._listing.current
        return row.id if row is not None else ""
