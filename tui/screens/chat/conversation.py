"""The answers of a conversation: asked for one after another, and shown as they are written."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual import on, work
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from engine.errors import UserError
from tui.screens.chat.exchange import Exchange
from tui.screens.chat.voices import Talk
from tui.widgets.question import Answer

KEPT = 40
"""Number of exchanges that stay on the screen; the models are given all turns."""


class Conversation(VerticalScroll, can_focus=False):
    """Messages wait until the models are loaded and those before them are answered."""

    @dataclass
    class Piece(Message, bubble=False):
        """The text of an answer so far."""

        exchange: Exchange
        place: int
        """Index of the voice."""
        text: str

    @dataclass
    class Answered(Message, bubble=False):
        """A voice's answer, its error, or None if it was stopped before."""

        exchange: Exchange
        place: int
        answer: Answer | UserError | None

    def __init__(self, talk: Talk, id: str) -> None:
        super().__init__(id=id)
        self._talk = talk
        self._loaded = False
        self._waiting: deque[Exchange] = deque()
        self._writing: Exchange | None = None
        self._following = True

    @property
    def busy(self) -> bool:
        """Whether an answer is written, or a message waits for one."""
        return self._writing is not None or bool(self._waiting)

    def ready(self) -> None:
        """Answer what waits, as the models are loaded."""
        self._loaded = True
        self._next()

    async def say(self, exchange: Exchange) -> None:
        """Show a message; it is answered after those before it."""
        for old in list(self.query(Exchange))[: -KEPT + 1]:
            await old.remove()
        await self.mount(exchange)
        self._waiting.append(exchange)
        self._follow()
        self._next()

    async def begin(self) -> None:
        """Stop, and mark the beginning of another conversation."""
        self.stop()
        if self.query(Exchange):
            await self.mount(Static("──── new conversation ────", classes="begin"))
            self._follow()

    def stop(self) -> None:
        """Stop the answer that is written; the messages that wait are not sent."""
        for exchange in self._waiting:
            for reply in exchange.replies:
                reply.show(None)
        self._waiting.clear()
        if self._writing is not None:
            self._writing.stopped = True
        self._talk.stop()

    def page(self, pages: int) -> None:
        """Scroll through earlier answers."""
        self.scroll_relative(y=pages * (self.size.height - 1), animate=False, immediate=True)
        self._following = self.scroll_y >= self.max_scroll_y

    def _next(self) -> None:
        """Ask for the next answers, unless some are being written or the models are loading."""
        if self._loaded and self._writing is None and self._waiting:
            self._writing = self._waiting.popleft()
            self._answer(self._writing)

    @work(thread=True, exit_on_error=False)
    def _answer(self, exchange: Exchange) -> None:
        """Let the voices answer one after another, on the networks that stay loaded."""
        for place, voice in enumerate(exchange.voices):
            answer: Answer | UserError | None
            try:
                heard = partial(self._heard, exchange, place)
                ask = partial(voice.answer, self._talk, exchange.prompt, heard)
                answer = None if exchange.stopped else ask()
            except UserError as error:
                answer = error
            self.post_message(self.Answered(exchange, place, answer))

    def _heard(self, exchange: Exchange, place: int, piece: dict[str, Any]) -> None:
        if exchange.stopped:  # before the helper process had begun
            self._talk.stop()
        self.post_message(self.Piece(exchange, place, piece["text"]))

    @on(Piece)
    def _grow(self, event: Piece) -> None:
        event.exchange.replies[event.place].grow(event.text)
        self._keep_up()

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.exchange.replies[event.place].show(event.answer)
        self._keep_up()
        if event.place == len(event.exchange.voices) - 1:
            self._writing = None
            self._next()

    def _keep_up(self) -> None:
        """Follow the answer, unless the user reads earlier ones."""
        if self._following:
            self._follow()

    def _follow(self) -> None:
        """Scroll to the end, where the answer is written."""
        self._following = True
        self.call_after_refresh(self.scroll_end, animate=False, immediate=True)
