"""Talk to finished language models: one, several, or one beside its base."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.service.client import Advisor
from tui.format.text import literal
from tui.screens.chat.conversation import Conversation
from tui.screens.chat.exchange import Exchange
from tui.screens.chat.rows import ChatRows
from tui.screens.chat.voices import Prompt, Talk, Voice
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.registry import make_screen
from tui.widgets.model_head import ModelHead
from tui.widgets.notify import complain, tell
from tui.widgets.question import Answer
from tui.widgets.steady_footer import SteadyFooter

_SETTINGS = {
    "temperature": "temperature", "top_p": "top-p", "max_new_tokens": "maximum tokens",
}  # fmt: skip
_SEED, _SEEDS = "seed", 2**31
_LOADING = "loading the model; type ahead …"


class ChatScreen(Screen[None]):
    """The conversation, and below it the lines for the next message."""

    CSS_PATH = "chat.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "begin", "New chat", priority=True),
        Binding("ctrl+t", "base", "Base", priority=True),
        Binding("ctrl+o", "rows", "Files", priority=True),
        Binding("pageup", "scroll(-1)", "Earlier", priority=True),
        Binding("pagedown", "scroll(1)", "Later", priority=True),
        Binding("escape", "leave", "Stop, back"),
    ]

    @dataclass
    class Loaded(Message):
        """Facts about the models, or the error."""

        facts: Sequence[Answer] | UserError

    def __init__(
        self, run: RunDirectory, talk: Talk | None = None, others: Sequence[RunDirectory] = ()
    ) -> None:
        """Send the same messages to ``others``; use ``talk`` instead of an advisor of its own."""
        super().__init__()
        self._runs = [run, *others]
        self._head = ModelHead([one.id for one in self._runs])
        self._config: RunConfig = run.config.read()
        self._own = None if talk else Advisor()
        self._talk: Talk = talk or self._own or Advisor()
        self._voices = [Voice(one.id) for one in self._runs]
        self._conversation = Conversation(self._talk, id="answers")
        self._facts: Sequence[Answer] | None = None
        self._wanted = ""
        """Text on what can be typed, once the model is loaded."""

    def compose(self) -> ComposeResult:
        """Yield the screen; messages can be typed before the model is loaded."""
        yield self._head
        yield self._conversation
        values = self._config.values()["task"]
        settings = {name: (title, f"{values[name]:g}") for name, title in _SETTINGS.items()}
        yield ChatRows({**settings, _SEED: (_SEED, "")})
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Load the models in a thread."""
        self._head.say(_LOADING)
        self._load()

    def on_unmount(self) -> None:
        """Stop writing; discard what is pending."""
        self._conversation.stop()
        if self._own is not None:
            self._own.close()

    @property
    def unsaved(self) -> bool:
        """Whether a model has answered."""
        return any(voice.turns for voice in self._voices)

    @work(thread=True, exit_on_error=False)
    def _load(self) -> None:
        facts: list[Answer] | UserError = []
        try:
            facts = [self._talk.stream("chat", _ignore, run=run.id) for run in self._runs]
        except UserError as error:
            facts = error
        self.post_message(self.Loaded(facts))

    @on(Loaded)
    async def _loaded(self, event: Loaded) -> None:
        if isinstance(event.facts, UserError):
            self._head.say("")
            self._conversation.stop()
            await self.query_one(ChatRows).remove()
            error = literal(event.facts, 1000).stylize("$text-error")
            await self._conversation.mount(Static(error))
            return
        self._facts = event.facts
        keeps = all(facts["keeps_turns"] for facts in event.facts)
        self._wanted = "type, and press enter" if keeps else "continues a text; keeps no turns"
        self._head.say(self._wanted)
        first = event.facts[0]
        await self.query_one(ChatRows).add_context(first["context"], first["values"])
        self._conversation.ready()

    @on(ChatRows.Sent)
    async def _sent(self, event: ChatRows.Sent) -> None:
        """Show the message; it is answered after those before it."""
        try:
            sampling = sampling_of(self._config, event.settings)
        except UserError as error:
            self.query_one(ChatRows).put_back(event.message)
            complain(self, error)
            return
        if not event.message.strip():
            if self._wanted:
                self._head.say(f"nothing is typed yet: {self._wanted}", "$text-warning")
            return
        self._head.say(self._wanted or _LOADING)
        prompt = Prompt(event.message, event.system, event.context, sampling)
        await self._conversation.say(Exchange(prompt, self._voices))

    def action_scroll(self, pages: int) -> None:
        """Scroll through earlier answers."""
        self._conversation.page(pages)

    async def action_begin(self) -> None:
        """Begin a new conversation: the models forget the earlier turns."""
        self._voices = [Voice(voice.run, voice.base) for voice in self._voices]
        await self._conversation.begin()

    async def action_base(self) -> None:
        """Let the base of the first model answer too, or no longer; begins a new conversation."""
        if self._facts is not None and not self._facts[0]["has_base"]:
            tell(self, "This model was trained from scratch: there is no base model.")
            return
        with_base = not any(voice.base for voice in self._voices)
        self._voices = [Voice(run.id) for run in self._runs]
        self._voices += [Voice(self._runs[0].id, base=True)] if with_base else []
        await self.action_begin()
        names = " and ".join(voice.title for voice in self._voices)
        tell(self, f"Now {names} answer.")

    def action_rows(self) -> None:
        """Open the other form of this screen, for a file of prompts."""
        first, *others = self._runs
        self.app.push_screen(make_screen("try it", first, self._talk.ask, others))

    @on(ChatRows.Left)
    def action_leave(self) -> None:
        """Stop the answers that are written or pending; without any, close the screen."""
        if self._conversation.busy:
            self._conversation.stop()
        elif self.unsaved:

            def answered(yes: bool | None) -> None:
                if yes:
                    self.dismiss()

            dialog = ConfirmScreen("Leave this conversation? It is not kept.", risky=True)
            self.app.push_screen(dialog, answered)
        else:
            self.dismiss()


def sampling_of(config: RunConfig, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return how to sample, by typed settings; without a seed it differs each time.

    Raises :class:`UserError` for a setting that is wrong.
    """
    typed = {name: text for name, text in settings.items() if name != _SEED}
    section: Any = config.override([f"task.{name}={text}" for name, text in typed.items()]).task
    seed = settings.get(_SEED, "")
    if seed and not (seed.isascii() and seed.isdigit() and int(seed) < _SEEDS):
        raise UserError(f"The seed is a whole number below {_SEEDS:,}, or empty.")
    sampling = {name: getattr(section, name) for name in typed}
    return sampling | {_SEED: int(seed) if seed else secrets.randbelow(_SEEDS)}


def _ignore(piece: dict[str, Any]) -> None:
    """Take a piece of an answer that has none."""
