"""The actions of the keys of the list of runs, by the names in their bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from engine.runs.summary import RunSummary
from tui.screens.runs.changes import RunChanges
from tui.screens.runs.openings import Openings
from tui.screens.runs.run_filter import RunFilter
from tui.screens.runs.run_listing import RunListing
from tui.screens.runs.welcome import EXPERIMENTS

OPENS: Mapping[str, Sequence[str]] = {
    "new": ("new run",),
    "clone": ("new run",),
    "presets": ("presets", "new run"),
    "open": ("monitor", "results"),
    "compare": ("compare",),
    "trash": ("trash",),
    "adapters": ("adapters",),
    "save_preset": ("save preset",),
    "try_it": ("try it", "chat"),
}
"""The screens that an action may open."""
START = "start "
"""The beginning of the actions that start one of the experiments of an empty list."""


class ListActions:
    """Actions on the run at the cursor, on the selected runs, and on the list."""

    def __init__(
        self, listing: RunListing, filter: RunFilter, openings: Openings, changes: RunChanges
    ) -> None:
        self._listing = listing
        self._of_current: Mapping[str, Callable[[RunSummary], None]] = {
            "open": openings.open,
            "clone": openings.clone,
            "fetch": openings.fetch,
            "save_preset": openings.save_preset,
            "stop": changes.stop,
            "resume": changes.resume,
        }
        self._of_chosen: Mapping[str, Callable[[Sequence[RunSummary]], None]] = {
            "compare": openings.compare,
            "try_it": openings.try_it,
            "pin": changes.pin,
            "annotate": changes.annotate,
            "delete": changes.delete,
        }
        self._of_list: Mapping[str, Callable[[], object]] = {
            "new": openings.new,
            "presets": openings.presets,
            "import": openings.import_runs,
            **{name: partial(openings.show, name) for name in ("trash", "adapters")},
            "filter": filter.open,
            "show_all": filter.close,
            "clear": filter.clear,
            "sort": partial(listing.sort_by_next, 1),
            "reverse": partial(listing.sort_by_next, 0),
            "select": partial(listing.toggle, 1),
            "select_all": listing.toggle_all,
            "undo": changes.undo,
            **{
                f"{START}{preset}": partial(openings.start, preset)
                for _, preset, _ in EXPERIMENTS.values()
            },
        }

    def do(self, name: str) -> None:
        """Do something; without selected runs, with the one at the cursor."""
        if name in self._of_list:
            self._of_list[name]()
        elif name in self._of_chosen:
            self._of_chosen[name](self._listing.chosen)
        elif (row := self._listing.current) is not None:
            self._of_current[name](row)
