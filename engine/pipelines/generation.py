"""Shared base of the pipelines of tasks that write: a byte-level tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from engine.pipelines.text import TextFitted, TextPipeline
from engine.text.spread import evenly_spread
from engine.text.tokens.bpe import bpe_from, train_bpe

_CONVERSATION = 4096
"""Tokens of a conversation at most, which take memory."""

F = TypeVar("F", bound=TextFitted)


class GenerationPipeline(TextPipeline[F]):
    """Texts and their byte-level tokenizer."""

    @property
    def marks(self) -> Sequence[str]:
        """Special tokens of a new tokenizer, besides those for ends and padding."""
        return ()

    def learn_tokenizer(self, texts: Iterable[str]) -> str:
        """Train a byte-level tokenizer, where the network begins from scratch."""
        if not self.model.from_scratch:
            return ""
        return train_bpe(evenly_spread(texts), self.model.vocab_size, self.marks)

    def longest_conversation(self, fitted: F) -> int:
        """Return the tokens that a prompt and its answer may have: more than those of training,
        where the model takes more.
        """
        return max(fitted.max_length, self.limit(_CONVERSATION, fitted.tokenizer))

    def trained_tokenizer(self, trained: str) -> Any:
        """Return the tokenizer that :meth:`learn_tokenizer` trained."""
        return bpe_from(trained)
