"""The part of a task that writes texts which a conversation with its model needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.prompts import Prompt, Prompts
from engine.text.chat.template_variables import VARIABLES
from engine.text.chat.templates import as_trained
from engine.text.chat.turns import USER
from engine.text.generation.continuation import Sampling

ASKED_FOR = ("input", "tools", VARIABLES)
"""Roles of a prompt's columns that are asked for beside the message and the system prompt."""


@dataclass(frozen=True)
class Writer:
    """The tokenizer, the one way to write prompts, and how answers are sampled."""

    tokenizer: Any
    prompts: Prompts | None
    """None for models of plain text, which is continued as it stands."""
    sampling: Sampling
    longest: int
    """Number of tokens of a prompt and its answer together."""
    context: Mapping[str, str]
    """Columns of the prompt besides the message, by their roles: those of :data:`ASKED_FOR`."""
    beginning: Sequence[int] = ()
    """Tokens before a plain text to continue."""

    system: str | None = None
    """The system prompt that all training rows have, None in models that recorded none."""

    @property
    def date(self) -> str:
        """The day that the chat template writes, as ``2026-11-28``; empty where it writes none."""
        return self.prompts.date if isinstance(self.prompts, ChatPrompts) else ""

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables of the chat template that all training rows have."""
        return self.prompts.variables if isinstance(self.prompts, ChatPrompts) else {}

    @property
    def to_export(self) -> Any:
        """The tokenizer, with the chat template of training."""
        converses = isinstance(self.prompts, ChatPrompts)
        return as_trained(self.tokenizer, converses, self.date, self.variables)

    def asked(self, text: str) -> Prompt:
        """Return the prompt for a text that is typed."""
        if self.prompts is None:
            return Prompt(text, "", beginning=self.beginning)
        messages = [{"role": USER, "content": text}]
        return self.prompts.prompt({"prompt": text, "messages": messages})


@runtime_checkable
class Writes(Protocol):
    """A task whose models one can talk to."""

    def writer(self, fitted: Any) -> Writer:
        """Return what a conversation needs."""
