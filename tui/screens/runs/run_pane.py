"""The pane beside the list of runs, whose content is loaded when it is first shown."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING

from textual.containers import Vertical

from engine.runs.summary import RunSummary
from tui.screens.runs.shown_rows import Before

if TYPE_CHECKING:
    from tui.screens.runs.pane_content import PaneContent

LEAST_WIDTH, LEAST_HEIGHT = 100, 20
"""Columns and rows of a screen that has room for the pane."""
_CONTENT = "tui.screens.runs.pane_content"


class RunPane(Vertical):
    """Empty until there is a run to show and room for it: the first paint need not wait for it."""

    DEFAULT_CSS = """
    RunPane {
        display: none;
        width: 38%;
        padding: 0 1;
        border-left: vkey $panel;
    }
    """

    def __init__(self) -> None:
        super().__init__(id="pane")
        self._content: PaneContent | None = None
        self._paused = False
        self._chosen: tuple[RunSummary | None, Before] | None = None

    def fit(self, width: int, height: int, any_runs: bool) -> None:
        """Show or hide the pane for a screen of this size."""
        shown = any_runs and width >= LEAST_WIDTH and height >= LEAST_HEIGHT
        if shown and not self.display and self._content is None:
            self.run_worker(self._load(), group="content", exclusive=True)
        self.display = shown
        if self._content is not None:
            self._content.feed.display(shown)

    def choose(self, row: RunSummary | None, before: Before) -> None:
        """Show a run once the cursor rests on it, compared with the one ``before``."""
        self._chosen = row, before
        if self._content is not None:
            self._content.choose(row, before)

    def pause(self) -> None:
        """Stop reading while another screen is on top."""
        self._paused = True
        if self._content is not None:
            self._content.feed.pause()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        if self._content is not None:
            self._content.feed.resume()

    async def _load(self) -> None:
        """Load the charts in a thread, then show what was chosen meanwhile."""
        made = await asyncio.to_thread(lambda: import_module(_CONTENT).PaneContent)
        content: PaneContent = made()
        await self.mount(content)
        self._content = content
        if self._chosen is not None:
            content.choose(*self._chosen)
        if not self._paused:
            content.feed.display(self.display)
