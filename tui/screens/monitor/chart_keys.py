"""The keys for the charts of a run: which metric, against what, one chart or several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.screen import Screen

from tui.screens.dialogs.pick import PickScreen
from tui.screens.monitor.panels import Charts
from tui.screens.monitor.watcher import Watch


class ChartKeys:
    """Changes what the charts show, and calls ``changed`` afterwards."""

    def __init__(
        self, screen: Screen[None], charts: Charts, watch: Watch, changed: Callable[[], None]
    ) -> None:
        self._screen = screen
        self._charts = charts
        self._watch = watch
        self._changed = changed
        self._keys: dict[str, Callable[[], None]] = {
            "next": partial(charts.widget.action_mark, 1),
            "before": partial(charts.widget.action_mark, -1),
            "find": self._find,
            "axis": charts.next_axis,
            "grid": charts.widget.toggle,
        }

    def do(self, name: str) -> None:
        """Do what a key is for; the change is shown unless a question comes first."""
        self._keys[name]()
        if name != "find":
            self._changed()

    def _find(self) -> None:
        """Choose a metric by a part of its name."""
        names = self._charts.metrics(self._watch)
        dialog = PickScreen("Metric", names, self._charts.widget.metric)
        self._screen.app.push_screen(dialog, self._found)

    def _found(self, name: str | None) -> None:
        if name is not None:
            self._charts.widget.metric = name
            self._changed()
