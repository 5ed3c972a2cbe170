"""The keys of the list that change runs, by the names in their bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textual.screen import Screen

from engine.runs.summary import RunSummary
from tui.screens.runs.changes import RunChanges
from tui.screens.runs.run_listing import RunListing


class Actions:
    """Changes of the run at the cursor, of the selected runs, and back."""

    def __init__(
        self, screen: Screen[None], listing: RunListing, changed: Callable[[], object]
    ) -> None:
        """Call ``changed`` in a thread after each change of a run."""
        self._listing = listing
        changes = RunChanges(screen, changed)
        self._undo = changes.undo
        self._of_current: Mapping[str, Callable[[RunSummary], None]] = {
            "stop": changes.stop,
            "resume": changes.resume,
        }
        self._of_chosen: Mapping[str, Callable[[Sequence[RunSummary]], None]] = {
            "pin": changes.pin,
            "annotate": changes.annotate,
            "delete": changes.delete,
        }

    async def do(self, name: str) -> None:
        """Change something; without selected runs, the one at the cursor."""
        if name == "undo":
            self._undo()
        elif name in self._of_chosen:
            self._of_chosen[name](self._listing.chosen)
        elif (row := self._listing.current) is not None:
            self._of_current[name](row)
