"""The panels of a screen, of which one is visible and has the focus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widgets import TabbedContent, TabPane, Tabs


class PanelTabs(TabbedContent):
    """Focuses the visible panel, so that its keys work at once.

    Until there is one the line of tabs has the focus; a number that is typed meanwhile is kept.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "step(1)", "Next panel", show=False, key_display="]"),
        Binding("left_square_bracket", "step(-1)", "Previous panel", show=False, key_display="["),
        *(
            Binding(str(number), f"go_to({number})", "Panel by its number", show=False)
            for number in range(1, 10)
        ),
    ]

    _typed = 0
    """The number of a panel that was not there yet."""
    _last = 9
    """The last number that is a key: that of the last panel, once all panels are there."""

    async def add_panels(self, panels: Iterable[TabPane]) -> None:
        """Add panels to a screen that is open already; show the one whose number was typed."""
        for panel in panels:
            await self.add_pane(panel)
        self._show_typed()
        self._last = len(self.query(TabPane))

    def on_mount(self) -> None:
        """Show the panel whose number was typed before the panels were mounted."""
        self.call_after_refresh(self._show_typed)
        self._last = len(self.query(TabPane)) or self._last

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There are as many numbers as panels."""
        return action != "go_to" or int(str(parameters[0])) <= self._last

    def action_step(self, step: int) -> None:
        """Show the next or the previous panel."""
        panels = [str(pane.id) for pane in self.query(TabPane)]
        if self.active in panels:  # a panel may be added later than its screen
            self.active = panels[(panels.index(self.active) + step) % len(panels)]

    @on(TabPane.Focused)
    def _follow_only(self, event: TabPane.Focused) -> None:
        """Stay on the visible panel.

        Textual would show the panel that has received the focus; its message comes late, when a
        key has chosen another panel already.
        """
        event.prevent_default().stop()

    @on(Tabs.TabActivated)
    def _take_newest(self, event: Tabs.TabActivated) -> None:
        """Stay on the panel that a key has chosen since the tab was activated.

        Textual would show the one of the message, which may come late: the first panel's, too.
        """
        if event.tab.id != event.tabs.active:
            event.prevent_default().stop()

    @on(TabbedContent.TabActivated)
    def _activated(self) -> None:
        self.call_after_refresh(self._enter)

    def action_go_to(self, number: int) -> None:
        """Show a panel by its number, from 1 on."""
        panels = [str(pane.id) for pane in self.query(TabPane)]
        if number <= len(panels):
            self.active = panels[number - 1]
        self._typed = number if number > len(panels) else 0

    def _show_typed(self) -> None:
        if self._typed and self.query(TabPane):
            self.action_go_to(self._typed)

    def _enter(self) -> None:
        within = self.query(f"#{self.active} *")
        for widget in within:
            # Textual sends none to a panel that is shown while the line of tabs scrolls.
            widget.post_message(Resize(widget.size, widget.virtual_size, widget.container_size))
        inner = next((widget for widget in within if widget.focusable), None)
        # Never nothing: the keys of the panels belong to what has the focus.
        self.screen.set_focus(inner or self.query_one(Tabs))
