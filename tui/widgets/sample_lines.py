"""Scrollable samples; the left and right keys request earlier and later ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.widgets.lines import Lines


class SampleLines(Lines):
    """Posts :class:`Other` to request samples before or after the current ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "other(1)", "Earlier samples", show=False),
        Binding("right,l", "other(-1)", "Later samples", show=False),
    ]

    @dataclass
    class Other(Message):
        """Samples ``back`` steps earlier are requested."""

        back: int

    def action_other(self, back: int) -> None:
        """Request other samples."""
        self.post_message(self.Other(back))
