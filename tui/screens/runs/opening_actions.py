"""The keys of the list that open screens and begin tasks, by the names in their bindings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from textual.screen import Screen

from engine.runs.summary import RunSummary
from tui.screens.registry import load_screens
from tui.screens.run_actions import RunActions
from tui.screens.runs.openings import Openings
from tui.screens.runs.run_listing import RunListing
from tui.screens.runs.welcome import EXPERIMENTS, START

_OPENS: Mapping[str, Sequence[str]] = {
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


class Actions:
    """Actions that need the run at the cursor, the selected runs, or none."""

    def __init__(self, screen: Screen[None], listing: RunListing) -> None:
        self._listing = listing
        self._of_finished = RunActions(screen)
        openings = Openings(screen)
        self._of_current: Mapping[str, Callable[[RunSummary], None]] = {
            "open": openings.open,
            "clone": openings.clone,
            "fetch": openings.fetch,
            "save_preset": openings.save_preset,
        }
        self._of_chosen: Mapping[str, Callable[[Sequence[RunSummary]], None]] = {
            "compare": openings.compare,
            "try_it": openings.try_it,
        }
        self._of_none: Mapping[str, Callable[[], object]] = {
            "new": openings.new,
            "presets": openings.presets,
            "import": openings.import_runs,
            **{name: partial(openings.show, name) for name in ("trash", "adapters")},
            **{
                f"{START}{preset}": partial(openings.start, preset)
                for _, preset, _ in EXPERIMENTS.values()
            },
        }

    async def do(self, name: str) -> None:
        """Do something; without selected runs, with the one at the cursor."""
        await load_screens(_OPENS.get(name, ()))
        if name in self._of_none:
            self._of_none[name]()
        elif name in self._of_chosen:
            self._of_chosen[name](self._listing.chosen)
        elif name not in self._of_current:
            row = self._listing.current
            self._of_finished.do(name, row.run if row is not None else None)
        elif (row := self._listing.current) is not None:
            self._of_current[name](row)
