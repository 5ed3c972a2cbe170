"""Short messages in the corner; their text is never interpreted."""

from __future__ import annotations

from textual.widget import Widget

from tui.format.text import literal


def tell(widget: Widget, text: object) -> None:
    """Show a message that something was done."""
    widget.app.notify(literal(text, 300).plain, markup=False)


def complain(widget: Widget, error: Exception) -> None:
    """Show an error; its sign tells it from other messages where colours do not."""
    widget.app.notify(literal(f"! {error}", 500).plain, severity="error", timeout=10, markup=False)
