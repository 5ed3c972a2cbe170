"""Samples that are read by scrolling; keys to the side ask for earlier and later ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.widgets.lines import Lines


class SampleLines(Lines):
    """Asks by :class:`Other` for samples before or after those that are shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "other(1)", "Earlier samples", show=False),
        Binding("right,l", "other(-1)", "Later samples", show=False),
    ]

    @dataclass
    class Other(Message):
        """Samples so many steps further back are wanted."""

        back: int

    def action_other(self, back: int) -> None:
        """Ask for others."""
        self.post_message(self.Other(back))
