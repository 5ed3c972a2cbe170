"""All keys of the screen below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.app import App
from textual.content import Content

from tui.format.text import literal
from tui.screens.dialogs.actions import actions_of
from tui.screens.dialogs.base import ReadScreen

_KEYS_WIDTH = 24


class KeysScreen(ReadScreen):
    """A list of keys, from the bindings themselves."""

    def __init__(self, app: App[Any]) -> None:
        super().__init__("Keys", list(_lines(app)))


def _lines(app: App[Any]) -> Iterator[Content]:
    for description, bindings in actions_of(app.screen).items():
        keys = "  ".join(app.get_key_display(active.binding) for active in bindings)
        left = literal(keys, _KEYS_WIDTH)
        padded = left.pad_left(_KEYS_WIDTH - left.cell_length)
        yield padded.stylize("bold") + literal("  " + description)
