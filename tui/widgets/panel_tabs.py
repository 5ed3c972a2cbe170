"""The panels of a screen, of which one is visible and has the focus."""

from __future__ import annotations

from textual import on
from textual.widgets import TabbedContent, TabPane


class PanelTabs(TabbedContent):
    """Focuses the visible panel, so that its keys work at once."""

    def step(self, step: int) -> None:
        """Show the next or the previous panel."""
        panels = [str(pane.id) for pane in self.query(TabPane)]
        if self.active in panels:  # a panel may be added later than its screen
            self.active = panels[(panels.index(self.active) + step) % len(panels)]

    @on(TabbedContent.TabActivated)
    def _activated(self) -> None:
        self.call_after_refresh(self._enter)

    def _enter(self) -> None:
        within = self.query(f"#{self.active} *")
        self.screen.set_focus(next((widget for widget in within if widget.can_focus), None))
