"""The actions of a screen by name: one line each, found by what others call them too."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen
from typing_extensions import override

from tui.format.text import literal
from tui.screens.dialogs.actions import actions_of
from tui.terminal.vocabulary import BY_KEY

_BESIDE = 60
"""Characters of the key or the explanation beside an action."""
_LESS = 0.9
"""The score of another name as a part of that of the action's own, which comes first.

Letters that are scattered over the action's own name have less than half of it."""


class ActionProvider(Provider):
    """Offers what :meth:`~textual.app.App.get_system_commands` yields."""

    @override
    async def discover(self) -> Hits:
        for command in sorted(self.app.get_system_commands(self.screen), key=lambda c: c.title):
            if command.discover:
                line = _line(literal(command.title), command)
                yield DiscoveryHit(line, command.callback, text=command.title)

    @override
    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        others = other_names(self.screen)
        for command in self.app.get_system_commands(self.screen):
            own = matcher.match(command.title)
            title = matcher.highlight(command.title) if own else literal(command.title)
            begun = [
                name for name in others.get(command.title, ()) if name.startswith(query.lower())
            ]
            if score := max(own, *(_LESS * matcher.match(name) for name in begun), 0.0):
                yield Hit(score, _line(title, command), command.callback, text=command.title)


def other_names(screen: Screen[object]) -> Mapping[str, tuple[str, ...]]:
    """Return what others call each action of the screen, by its description."""
    return {
        description: BY_KEY[active.binding.key].others
        for description, (active, *_) in actions_of(screen).items()
        if active.binding.key in BY_KEY
    }


def _line(title: Content, command: SystemCommand) -> Content:
    return title + Content("  ") + literal(command.help, _BESIDE).stylize("$text-muted not bold")
