"""Scrollable samples; the left and right keys request earlier and later ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.widgets.lines import Lines

_SIDE, _SMALL_SIDE = 12, 8
"""Cells of an image's width, and those over a slow connection."""


def sample_side(app: App[object]) -> int:
    """Return the cells of an image's width beside a sample; 0 where images are not drawn."""
    if not getattr(app, "draws_pictures", False):
        return 0
    return _SMALL_SIDE if getattr(app, "slow_link", False) else _SIDE


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
