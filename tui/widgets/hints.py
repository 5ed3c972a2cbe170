"""Key hints of a dialog in one line; a click on one presses the key."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Static

from tui.format.text import literal
from tui.terminal.keymap import Keymap

_NAMES = {"←": "left", "→": "right", "↑": "up", "↓": "down"}
"""Names of keys where signs would look like other keys."""


class Hint(Static):
    """One key."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(literal(text))
        self._key = key

    def on_click(self) -> None:
        """Press the key."""
        self.app.simulate_key(self._key)


class Hints(Horizontal):
    """Several hints, each given as its key and its label."""

    DEFAULT_CSS = """
    Hints {
        height: 1;
        width: auto;
        Hint { width: auto; margin-right: 3; color: $text-muted; }
        Hint:hover { color: $foreground; text-style: underline; }
    }
    """

    def __init__(self, *hints: tuple[str, str]) -> None:
        super().__init__()
        self._hints = hints

    def compose(self) -> ComposeResult:
        """Yield the keys."""
        keymap: Keymap = getattr(self.app, "keymap", Keymap())
        fixed = getattr(self.screen, "typed_keys", ())
        plain = getattr(self.app, "plain_keys", False)
        for key, text in self._hints:
            if plain:
                text = "".join(_NAMES.get(character, character) for character in text)
            # A key that was moved by the settings is named as it is now.
            moved = keymap.shown(key) != key and key not in fixed
            if moved and text.startswith(f"{key} "):
                text = self.app.get_key_display(Binding(key, "")) + text[len(key) :]
            yield Hint(key, text)
