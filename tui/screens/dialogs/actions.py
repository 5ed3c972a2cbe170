"""The actions of a screen, from its bindings: for the list of keys and the command palette."""

from __future__ import annotations

from textual.binding import ActiveBinding, Binding
from textual.containers import ScrollableContainer
from textual.screen import Screen

_TEXTUAL = {"tab", "shift+tab", "ctrl+c", "super+c"}
"""Keys of every Textual screen, which need no explanation."""
_AS_OURS = {
    binding.description: binding.description.capitalize()
    for binding in ScrollableContainer.BINDINGS
    if isinstance(binding, Binding)
}
"""Textual's own descriptions, which have capitals in each word, as ours are written."""


def actions_of(screen: Screen[object]) -> dict[str, list[ActiveBinding]]:
    """Return the active bindings by their description; the screen's own come first."""
    found: dict[str, list[ActiveBinding]] = {}
    bindings = screen.active_bindings.values()
    for active in sorted(bindings, key=lambda active: active.node is not screen):
        binding = active.binding
        text = _AS_OURS.get(binding.description, binding.description)
        if text and active.enabled and binding.key not in _TEXTUAL:
            found.setdefault(text, []).append(active)
    return found
