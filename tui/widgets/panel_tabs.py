"""The panels of a screen, of which one is visible and has the focus."""

from __future__ import annotations

from textual import on
from textual.events import Resize
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

    def go_to(self, number: int) -> None:
        """Show a panel by its number, from 1 on."""
        panels = [str(pane.id) for pane in self.query(TabPane)]
        if number <= len(panels):
            self.active = panels[number - 1]

    def _enter(self) -> None:
        within = self.query(f"#{self.active} *")
        for widget in within:
            # Textual sends none to a panel that is shown while the line of tabs scrolls.
            widget.post_message(Resize(widget.size, widget.virtual_size, widget.container_size))
        self.screen.set_focus(next((widget for widget in within if widget.can_focus), None))
