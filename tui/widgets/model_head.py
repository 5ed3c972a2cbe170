"""The line above a model that is tried, or above several."""

from __future__ import annotations

from collections.abc import Sequence

from tui.charts.canvas import Canvas
from tui.format.text import literal


class ModelHead(Canvas):
    """Shows the run, and what is running or asked for."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(id="head")
        self._of = f"Try {ids[0]}" if len(ids) == 1 else f"Compare {len(ids)} models"

    def say(self, text: str, style: str = "$text-muted") -> None:
        """Show a text behind the name."""
        name = literal(self._of, 80).stylize("bold $primary")
        self.show([name + literal(f"   {text}", 500).stylize(style)])
