"""All keys of the screen below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.content import Content

from tui.format.text import literal
from tui.screens.dialogs.actions import actions_of
from tui.screens.dialogs.base import ReadScreen
from tui.terminal.vocabulary import GROUPS, Group, group_of

_KEYS_WIDTH = 24


class KeysScreen(ReadScreen):
    """Lists of keys by their group, from the bindings themselves."""

    def __init__(self, app: App[Any]) -> None:
        super().__init__("Keys", list(_lines(app)))


def _group(binding: Binding) -> Group:
    """Return the group of a binding; commands of the user are about runs."""
    return "Run" if binding.action.startswith("command(") else group_of(binding.key)


def _lines(app: App[Any]) -> Iterator[Content]:
    actions = actions_of(app.screen)
    for group in GROUPS:
        mine = {
            description: bindings
            for description, bindings in actions.items()
            if _group(bindings[0].binding) == group
        }
        if not mine:
            continue
        yield Content.styled(f"{group:>{_KEYS_WIDTH}}", "bold $primary")
        for description, bindings in mine.items():
            shown = (app.get_key_display(active.binding) for active in bindings)
            keys = "  ".join(dict.fromkeys(shown))  # two keys of one sign are one
            left = literal(keys, _KEYS_WIDTH)
            padded = left.pad_left(_KEYS_WIDTH - left.cell_length)
            yield padded.stylize("bold") + literal("  " + description)
        yield Content("")
