"""A message, and below it the answers, which grow while they are written."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from engine.errors import UserError
from tui.format.text import literal
from tui.screens.chat.voices import Prompt, Voice
from tui.widgets.question import Answer

_GROWING, _WHOLE = 3_000, 10_000
"""Numbers of characters shown, the last ones: of an answer being written, and of a finished one."""
_ENDINGS = {"end": "", "length": " · maximum length reached", "stopped": " · stopped"}
_TAB = 4


class Reply(Vertical):
    """One model's answer."""

    def __init__(self, title: str) -> None:
        """Show ``title`` above the answer; none if it is empty."""
        super().__init__()
        self._title = title
        self._answer = Static(Content.styled("…", "$text-muted"))

    def compose(self) -> ComposeResult:
        """Yield a placeholder until the answer comes."""
        if self._title:
            yield Static(literal(self._title, 64).stylize("underline"))
        yield self._answer

    def grow(self, text: str) -> None:
        """Show what was written so far."""
        self._answer.update(lines_of(text, _GROWING) + Content.styled("▌", "$primary"))

    def show(self, answer: Answer | UserError | None) -> None:
        """Show the finished answer with its notes, the error, or that nothing was sent."""
        if answer is None:
            self._answer.update(Content.styled("not sent", "$text-muted"))
            return
        if isinstance(answer, UserError):
            self._answer.update(literal(answer, 1000).stylize("$text-error"))
            return
        notes = [literal(note, 500).stylize("$text-warning") for note in answer["notes"]]
        text = lines_of(answer["text"], _WHOLE)
        if not answer["text"].strip():
            text = Content.styled("(an empty answer)", "$text-muted")
        summary = Content.styled(_summary(answer), "$text-muted")
        self._answer.update(Content("\n").join([*notes, text, summary]))


class Exchange(Vertical):
    """A prompt with the replies of the voices that are asked."""

    def __init__(self, prompt: Prompt, voices: Sequence[Voice]) -> None:
        super().__init__()
        self.prompt = prompt
        self.stopped = False
        self.voices = tuple(voices)
        self.replies = [Reply(voice.title if len(voices) > 1 else "") for voice in voices]

    def compose(self) -> ComposeResult:
        """Yield the message and the replies side by side."""
        asked = lines_of(self.prompt.message, _WHOLE)
        yield Static((Content("› ") + asked).stylize("bold $primary"))
        yield Horizontal(*self.replies)


def lines_of(text: str, most: int) -> Content:
    """Return a text with its own lines, sanitized; of a longer one than ``most`` the end."""
    hidden = len(text) - most
    lines = text[-most:].expandtabs(_TAB).splitlines() or [""]
    shown = Content("\n").join(literal(line, most) for line in lines)
    if hidden <= 0:
        return shown
    return Content.styled(f"… {hidden:,} characters before\n", "$text-muted") + shown


def _summary(answer: Answer) -> str:
    tokens, seconds = answer["tokens"], answer["seconds"]
    unit = "token" if tokens == 1 else "tokens"
    rate = f" · {tokens / seconds:,.0f} tokens/s" if seconds > 0 else ""
    return f"{tokens:,} {unit}{rate}{_ENDINGS[answer['ending']]}"
