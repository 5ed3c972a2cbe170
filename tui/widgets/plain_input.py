"""A line to type in that shows harmless text only."""

from __future__ import annotations

import asyncio

from textual import events
from textual.widgets import Input

from engine.plain import plain

_LONGEST = 10_000


class PlainInput(Input):
    """Whatever is pasted, no control characters get into the value, nor so to the terminal."""

    def validate_value(self, value: str) -> str:
        """The value with such characters made visible."""
        return plain(value, _LONGEST)

    async def on_key(self, event: events.Key) -> None:
        """Do what a key of the line is bound to now.

        Textual would let it take its turn behind all that is typed after it.
        """
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            if not binding.priority and await self.app.run_action(binding.action, self):
                event.stop()
                event.prevent_default()
                return

    async def typed(self) -> None:
        """Wait until the keys that came first are in the value.

        Keys with priority overtake them: over a slow line, or from a paste, many come at once.
        """
        done = asyncio.Event()
        if self.call_later(done.set):
            await done.wait()
