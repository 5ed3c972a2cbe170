"""Those that answer in a conversation: finished models, and the base that one began from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tui.widgets.question import Answer


class Talk(Protocol):
    """A helper process like :class:`engine.service.client.Advisor`."""

    def ask(self, question: str, **arguments: Any) -> Answer:
        """Return the answer; raises ``UserError``."""

    def stream(
        self, question: str, heard: Callable[[dict[str, Any]], object], **arguments: Any
    ) -> Answer:
        """Return the answer, and call ``heard`` with each piece before; raises ``UserError``."""

    def stop(self) -> None:
        """End the answer that is streamed."""

    def close(self) -> None:
        """End the process."""


@dataclass(frozen=True)
class Prompt:
    """A message, and all that is set for its answer."""

    message: str
    system: str | None
    """None for that of the training."""
    context: dict[str, str]
    """Further values of the prompt by their roles."""
    sampling: dict[str, Any]


@dataclass
class Voice:
    """A model with the turns that it has had."""

    run: str
    base: bool = False
    """Whether the base answers, without what was trained."""
    turns: list[dict[str, str]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The name above its answers."""
        return f"base of {self.run}" if self.base else self.run

    def answer(
        self, talk: Talk, prompt: Prompt, heard: Callable[[dict[str, Any]], object]
    ) -> Answer:
        """Ask for the next answer, and keep both turns; raises ``UserError`` and keeps neither."""
        turns = [*self.turns, {"role": "user", "content": prompt.message}]
        answer = talk.stream(
            "chat", heard, run=self.run, base=self.base, turns=turns, system=prompt.system,
            context=prompt.context, sampling=prompt.sampling,
        )  # fmt: skip
        self.turns = [*turns, {"role": "assistant", "content": answer["text"]}]
        return answer
