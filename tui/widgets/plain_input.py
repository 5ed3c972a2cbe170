"""An input that shows sanitized text only."""

from __future__ import annotations

from textual.widgets import Input

from engine.files.sanitize import plain
from tui.widgets.scrolling import SamePlace

_LONGEST = 10_000


class PlainInput(Input):
    """An input that keeps control characters out of its value, even pasted ones."""

    # Not a base class, as Textual takes the styles of one base only.
    virtual_size = SamePlace.virtual_size
    watch_virtual_size = SamePlace.watch_virtual_size

    def validate_value(self, value: str) -> str:
        """Return the value with control characters made visible."""
        return plain(value, _LONGEST)
