"""A line to type in that shows harmless text only."""

from __future__ import annotations

from textual.widgets import Input

from engine.plain import plain

_LONGEST = 10_000


class PlainInput(Input):
    """Whatever is pasted, no control characters get into the value, nor so to the terminal."""

    def validate_value(self, value: str) -> str:
        """The value with such characters made visible."""
        return plain(value, _LONGEST)
