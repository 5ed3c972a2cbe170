"""The line above a model that is tried, or above several."""

from __future__ import annotations

from collections.abc import Sequence

from tui.charts.canvas import Canvas
from tui.format.text import end_of, literal, shortened

_LEAST = 20
"""Cells of the name at least."""
_BETWEEN = 5
"""Cells between name and text, and around them."""


class ModelHead(Canvas):
    """Shows the run, and what is running or asked for."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(id="head")
        self._of = f"Try {ids[0]}" if len(ids) == 1 else f"Compare {len(ids)} models"

    def say(self, text: str, style: str = "$text-muted") -> None:
        """Show a text behind the name, which is shortened to leave it room."""
        room = max(_LEAST, self.app.size.width - len(text) - _BETWEEN)
        name = literal(shortened(self._of, room), 80).stylize("bold $primary")
        self.show([name + literal(f"   {text}", 500).stylize(style)])

    def loads(self, sent: str, typed: str) -> None:
        """Show what was sent and typed while the model is loading, in the whole line."""
        parts = [f"it is asked then: {sent}"] * bool(sent) + [f"› {typed}"]
        text = literal("   ".join(["loading the model …", *parts]), 5000)
        self.show([end_of(text.stylize("$text-muted"), self.size.width)])
