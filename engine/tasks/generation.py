"""What the tasks that write text share: a byte-level tokenizer, and how tokens are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from engine.fields import option
from engine.tasks.section import TaskConfig
from engine.tasks.text import TextFitted, TextTask


class GenerationConfig(TaskConfig):
    """How a text is written for samples and predictions."""

    domain = "generation"
    models = ("transformer",)

    max_new_tokens: int = option(
        64, "Longest text that is written", ge=1, le=100_000, unit="tokens"
    )
    temperature: float = option(
        0.8, "How freely tokens are drawn; 0 takes the likeliest", ge=0, le=10
    )
    top_p: float = option(
        0.95, "Share of the likeliest tokens that are drawn from", gt=0, le=1, advanced=True
    )


F = TypeVar("F", bound=TextFitted)


class GenerationTask(TextTask[F]):
    """A task on a transformer that writes."""

    def learn_tokenizer(self, texts: Iterable[str]) -> str:
        """Train a byte-level tokenizer, where the network begins from scratch."""
        from engine.text.bpe import train_bpe
        from engine.text.spread import evenly_spread

        if not self.model.from_scratch:
            return ""
        return train_bpe(evenly_spread(texts), self.model.vocab_size)

    def tokenizer(self, trained: str) -> Any:
        """The tokenizer, made once."""
        if self._tokenizer is None and self.model.from_scratch:
            from engine.text.bpe import bpe_from

            self._tokenizer = bpe_from(trained)
        return super().tokenizer(trained)
