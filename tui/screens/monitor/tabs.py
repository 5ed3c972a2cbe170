"""The panels of a monitor as tabs, of which the visible one is painted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.widgets import TabPane

from tui.screens.monitor.panels import (
    Charts,
    Details,
    Messages,
    Panel,
    ResourceUse,
    SampleOutputs,
    Table,
)
from tui.screens.monitor.repaint import Repaint
from tui.screens.monitor.watcher import Watch
from tui.widgets.panel_tabs import PanelTabs
from tui.widgets.sample_lines import SampleLines

_TITLES = {
    "charts": "Charts",
    "table": "Table",
    "samples": "Samples",
    "resources": "Resources",
    "details": "Details",
    "log": "Log",
}


class MonitorTabs(PanelTabs):
    """Charts, table, samples, resources, facts and log of a run."""

    def __init__(
        self, repaint: Repaint, order: Sequence[str], decides: str, adds: str = ""
    ) -> None:
        """Show metrics in this ``order``, of which one ``decides`` on the best weights.

        ``adds`` is what the training loss has and the validation loss has not.
        """
        super().__init__(id="tabs")
        self.charts = Charts(repaint, order, decides, adds)
        self._samples = SampleOutputs(repaint)
        self._panels: Mapping[str, Panel] = {
            "charts": self.charts,
            "table": Table(repaint, order),
            "samples": self._samples,
            "resources": ResourceUse(repaint),
            "details": Details(repaint),
            "log": Messages(repaint),
        }
        for id, panel in self._panels.items():
            self.compose_add_child(TabPane(_TITLES[id], panel.widget, id=id))

    def paint(self, watch: Watch) -> None:
        """Paint what is new in the visible panel; the lock of ``watch`` is held."""
        self._panels[self.active or "charts"].paint(watch)

    def show_charts(self) -> None:
        """Show the panel with the charts."""
        self.active = "charts"

    def on_sample_lines_other(self, event: SampleLines.Other) -> None:
        """Step to earlier or later samples; they are shown with the next paint."""
        self._samples.step(event.back)
