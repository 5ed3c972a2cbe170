"""A line to type in that shows harmless text only."""

from __future__ import annotations

from textual.widgets import Input

from engine.files.sanitize import plain
from tui.widgets.scrolling import SamePlace

_LONGEST = 10_000


class PlainInput(Input):
    """Whatever is pasted, no control characters get into the value, nor so to the terminal."""

    # No base, for Textual takes the styles of one base only.
    virtual_size = SamePlace.virtual_size
    watch_virtual_size = SamePlace.watch_virtual_size

    def validate_value(self, value: str) -> str:
        """The value with such characters made visible."""
        return plain(value, _LONGEST)
