"""Shared base of the pipelines of tasks that converse: the chat template of their tokenizer."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import Field
from typing_extensions import override

from engine.config.tasks.generation import GenerationConfig
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.models.language.tokenizer_check import ensure_end
from engine.pipelines.generation import GenerationPipeline
from engine.pipelines.text import TextFitted
from engine.text.chat.common_values import common
from engine.text.chat.conversation import names_tools
from engine.text.chat.template_variables import VARIABLES
from engine.text.chat.templates import (
    KNOWN,
    begin_of_template,
    begun_template,
    marks_of,
    use_template,
)
from engine.text.tokens.beginning import beginning_of


class ChatFitted(TextFitted):
    """The form of texts, and what all conversations of the training rows have."""

    separator: str = "\n"
    """Text between a prompt and its answer where the prompt does not end in a blank."""
    date: str = ""
    """The day that a chat template writes into each conversation; empty where it writes none."""
    beginning: list[int] = Field(default_factory=list)
    """The tokens before each text that is no conversation; none in models that recorded none."""
    template_begin: str = ""
    """Jinja before a chat template of ours, such as that for BOS; empty in models without a record.
    """
    system: str | None = None
    """The system prompt of all training rows, empty where they differ; None in models that recorded
    none."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """The variables that all training rows give to the chat template; empty where they differ."""


F = TypeVar("F", bound=ChatFitted)


class ChatPipeline(GenerationPipeline[F]):
    """Conversations, or texts that may be written as such."""

    section: GenerationConfig

    @property
    @override
    def marks(self) -> Sequence[str]:
        """The tokens of the chat template that is named."""
        return marks_of(self.section.chat_template)

    @override
    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """Choose the token that ends a text, and the chat template; raises ``TrainingError``."""
        ensure_end(tokenizer, self.model.path)
        if self.section.chat_template in KNOWN:
            use_template(tokenizer, self.section.chat_template)

    def writes_texts_as_chat(self, trained: str) -> bool:
        """Return whether texts are turns: where the model has a template, or one is named."""
        named = self.section.chat_template
        return named in KNOWN or (named == "auto" and bool(self.tokenizer(trained).chat_template))

    def beginning(self, chat: bool, trained: str) -> list[int]:
        """Return the tokens before each text; in a ``chat``, the template writes its own."""
        return [] if chat else beginning_of(self.tokenizer(trained))

    def template_begin(self, chat: bool, trained: str) -> str:
        """Return what a chat template of ours writes first, as Jinja reads it."""
        name = self.section.chat_template
        return begin_of_template(self.tokenizer(trained), name) if chat else ""

    def chat_tokenizer(self, fitted: F) -> Any:
        """Return the tokenizer with the chat template of training."""
        tokenizer = self.tokenizer(fitted.tokenizer)
        return begun_template(tokenizer, self.section.chat_template, fitted.template_begin)

    def has_answers(self, fitted: F) -> bool:
        """Return whether rows have answers to be learned, rather than texts."""
        del fitted
        return True

    @abstractmethod
    def system_prompts(self, table: pa.Table, fitted: F) -> Iterator[str]:
        """Yield each row's system prompt; empty where it has none."""

    @abstractmethod
    def template_variables(self, table: pa.Table, fitted: F) -> Iterator[dict[str, Any]]:
        """Yield what each row gives to the chat template; raises :class:`DataError`."""

    def with_common(self, fitted: F, table: pa.Table) -> F:
        """Return what was fitted with the system prompt and variables that all rows share."""
        found: dict[str, Any] = {"system": common(self.system_prompts(table, fitted)) or ""}
        with contextlib.suppress(DataError):  # of a row that is left out, and told then
            found["variables"] = common(self.template_variables(table, fitted)) or {}
        return fitted.model_copy(update=found)

    def unused_facts(self, roles: Collection[str], chat: bool, trained: str) -> dict[str, str]:
        """Return facts on what only chat templates read, among the ``roles`` of columns."""
        if not chat:
            names = [name for name in ("tools", VARIABLES) if name in roles]
            return dict.fromkeys(names, "not used: prompts are plain text")
        if "tools" not in roles or names_tools(self.tokenizer(trained)):
            return {}
        return {"tools": "not used: the chat template has no place for them"}

    def beginning_fact(self, fitted: F) -> dict[str, str]:
        """Return the fact that texts begin with tokens, if they do."""
        tokenizer = self.tokenizer(fitted.tokenizer)
        begin = beginning_of(tokenizer) if fitted.template_begin else fitted.beginning
        if not begin:
            return {}
        written = plain(tokenizer.decode(begin), 40)
        return {"begin with": f"{written}, which the tokenizer itself writes before a text"}

    def template_name(self, trained: str) -> str:
        """Return what people call the chat template of this data."""
        if self.section.chat_template in KNOWN:
            return self.section.chat_template
        own = self.tokenizer(trained).chat_template
        return "the model's own" if own else "roles, as the model has none"
