"""An application that handles each key before the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from textual import events
from textual.binding import Binding
from textual.message_pump import MessagePump
from typing_extensions import override

from tui.terminal.keymap import Keymap
from tui.terminal.textual_private import TerminalApp, paint

_PATIENCE_SECONDS = 1.0
"""Time-out for the key before; without it, a hanging handler would block the keyboard."""
_PASSES = 10
"""Rounds of messages that a key may cause before the next key is handled."""

Typed = events.Key | events.Paste


class KeysInOrder(TerminalApp[str]):
    """Holds back what was typed until that which was typed before has done its work.

    Textual gives a key at once to the widget that has the focus, where it takes its turn. Over a
    slow line, or when the user types ahead, many come together: then the *d* of "/digits" would not
    be a part of what is searched for, it would delete.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keymap = Keymap()
        self.plain_keys = False
        """Whether keys are shown in ASCII: the sign of enter would look like another key."""
        self._waiting: deque[Typed] = deque()
        self._turn: Typed | None = None
        self._at_work: asyncio.Task[None] | None = None

    async def on_event(self, event: events.Event) -> None:
        """Answer what is typed in its order, and all else at once."""
        if isinstance(event, Typed) and not self.screen_stack:
            return  # the screens are closed: Textual would ask them all the same
        if not isinstance(event, Typed) or event.is_forwarded:
            await super().on_event(event)
        elif self._at_work and event is not self._turn:
            self._waiting.append(event)
        else:
            asked = self._asked()
            await super().on_event(self._meant(event))
            self._at_work = asyncio.create_task(self._work(asked))

    def _meant(self, event: Typed) -> Typed:
        """Return the program's key for the one of the user's, unless it is typed as a text.

        The ``typed_keys`` of a screen are what they are, too.
        """
        if not isinstance(event, events.Key) or not self.keymap.own:
            return event
        if self.screen_stack:
            if event.key in getattr(self.screen, "typed_keys", ()):
                return event
            focused = self.focused
            if focused is not None and focused.check_consume_key(event.key, event.character):
                return event
        return self.keymap.translated(event)

    @override
    def simulate_key(self, key: str) -> None:
        """Act as if the user had pressed what stands for one of the program's keys."""
        super().simulate_key(self.keymap.shown(key))

    @override
    def get_key_display(self, binding: Binding) -> str:
        """Return the user's key for a binding; its name where the sign would not be shown."""
        shown = self.keymap.shown(binding.key)
        if shown != binding.key:
            binding = binding.with_key(shown)
        sign = super().get_key_display(binding)
        return sign if sign.isascii() or not self.plain_keys else binding.key

    def on_unmount(self) -> None:
        """Answer no key any more."""
        if self._at_work:
            self._at_work.cancel()

    async def _work(self, asked: Sequence[MessagePump]) -> None:
        """Wait until a key's work is done, then let the next one have its turn."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await _pass(asked)
                for _ in range(_PASSES):
                    asked = self._asked()
                    await _pass(asked)
                    if not any(node.message_queue_size for node in asked):
                        break
        except TimeoutError:
            pass  # the next key may be the one that leaves what hangs
        if self._waiting:
            self._turn = self._waiting.popleft()
            self.post_message(self._turn)
        else:
            self._at_work = None
            if self.screen_stack:  # else the program ends
                # Textual would paint at the next tick of its clock only.
                self.screen.call_later(paint, self.screen)

    def _asked(self) -> Sequence[MessagePump]:
        """Return the nodes that handle a key, in order: from the focused widget upwards."""
        line = (self.focused or self.screen).ancestors_with_self if self.screen_stack else [self]
        return list(line)


async def _pass(asked: Sequence[MessagePump]) -> None:
    """Wait until each has handled its earlier messages, and those from the one before."""
    for node in asked:
        done = asyncio.Event()
        if node.call_later(done.set):
            await done.wait()
