"""Keys in sentences: the one that is bound, as footers name it."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.binding import Binding

from tui.terminal.vocabulary import BY_NAME


def key_of(app: App[Any], name: str) -> str:
    """Return the key for a meaning of the vocabulary, where the user may have moved it.

    ``name`` is the one in the settings. Raises :class:`KeyError` where the vocabulary has no such
    meaning.
    """
    return app.get_key_display(Binding(BY_NAME[name].key, ""))
