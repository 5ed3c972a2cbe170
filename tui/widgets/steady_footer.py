"""The keys of the screen in its last line."""

from __future__ import annotations

from textual.screen import Screen
from textual.widgets import Footer


class SteadyFooter(Footer):
    """Textual's footer, rebuilt only when its keys change.

    Textual rebuilds it whenever the focus moves, which on a form is with every key.
    """

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self._keys: list[tuple[str, str, bool]] = []

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Rebuild if the keys have changed."""
        keys = [
            (active.binding.key, active.binding.description, active.enabled)
            for active in screen.active_bindings.values()
            if active.binding.show
        ]
        if keys != self._keys and screen.app.app_focus and screen is self.screen:
            self._keys = keys
            super().bindings_changed(screen)
