"""Shared base of the pipelines of text tasks: the tokenizer, trained or the model's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, TypeVar

from engine.config.models.transformer import TransformerConfig
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.models.text_tokenizer import load_tokenizer, longest_input
from engine.pipelines.pipeline import DataPipeline
from engine.text.lengths import length_facts
from engine.text.spread import evenly_spread
from engine.text.tokenizer import train_wordpiece, wordpiece_from


class TextFitted(Fitted):
    """The fitted tokenizer: everything that turns a text into token ids."""

    tokenizer: str = ""
    """The tokenizer that was trained on the data, as JSON; empty where the model brings its own."""
    max_length: int


F = TypeVar("F", bound=TextFitted)


class TextPipeline(DataPipeline[F]):
    """Texts and their tokenizer; columns are for subclasses."""

    reads_texts = True
    tokenizer_options: ClassVar[dict[str, Any]] = {}
    """Further arguments for ``AutoTokenizer``."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        assert isinstance(config.model, TransformerConfig)  # the only kind that such tasks allow
        self.model = config.model
        self._tokenizer: Any = None

    def learn_tokenizer(self, texts: Iterable[str]) -> str:
        """Train a tokenizer, where the network begins from scratch; empty where it has its own."""
        if not self.model.from_scratch:
            return ""
        texts = evenly_spread(texts)
        return train_wordpiece(texts, self.model.vocab_size, self.model.lowercase)

    def tokenizer(self, trained: str) -> Any:
        """The tokenizer, made once; ``trained`` is what :meth:`learn_tokenizer` returned."""
        if self._tokenizer is None:
            made = (
                self.trained_tokenizer(trained)
                if self.model.from_scratch
                else load_tokenizer(self.model, **self.tokenizer_options)
            )
            self.prepare_tokenizer(made)
            self._tokenizer = made
        return self._tokenizer

    def trained_tokenizer(self, trained: str) -> Any:
        """Return the tokenizer that :meth:`learn_tokenizer` trained."""
        return wordpiece_from(trained)

    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """Set up a new tokenizer for the task; raises :class:`TrainingError` if it is unsuited."""

    def limit(self, wanted: int, trained: str) -> int:
        """``wanted`` tokens, or as many as a trained model can take in."""
        if self.model.from_scratch:
            return wanted
        return min(wanted, longest_input(self.model, self.tokenizer(trained)))

    def measured(self, texts: Sequence[str], fitted: F) -> dict[str, str]:
        """Facts on the lengths in tokens of texts that stand for all."""
        tokens = self.tokenizer(fitted.tokenizer)(list(texts), truncation=False)["input_ids"]
        return length_facts([len(ids) for ids in tokens], fitted.max_length)
