"""Shared base of tasks on text: tokenizer, transformer, and how both are saved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
from torch import nn

from engine.batches.source import Batch, Source
from engine.config.models.transformer import TransformerConfig
from engine.data.fitted import Fitted
from engine.models.build import build_model
from engine.models.shapes import TextHead, TextShape
from engine.models.transformer import load_tokenizer, longest_input
from engine.tasks.task import Task
from engine.text.lengths import length_facts
from engine.text.spread import evenly_spread
from engine.text.tokenizer import train_wordpiece, wordpiece_from

_SHOWN = 5
"""Samples for the monitor."""


class TextFitted(Fitted):
    """The fitted tokenizer: everything that turns a text into token ids."""

    tokenizer: str = ""
    """The tokenizer that was trained on the data, as JSON; empty where the model brings its own."""
    max_length: int


F = TypeVar("F", bound=TextFitted)


class TextTask(Task[F]):
    """A task on a transformer. Subclasses define its head and its classes."""

    head: ClassVar[TextHead]
    tokenizer_options: ClassVar[dict[str, Any]] = {}
    """Further arguments for ``AutoTokenizer``."""
    _tokenizer: Any = None

    @property
    def model(self) -> TransformerConfig:
        """The section of the model."""
        model = self.config.model
        assert isinstance(model, TransformerConfig)  # the only kind that tasks on text allow
        return model

    def labels(self, fitted: F) -> Sequence[str]:
        """Names of the classes, for heads that classify."""
        del fitted
        return ()

    def shape(self, fitted: F) -> TextShape:
        """Return the shapes of the network's inputs and outputs."""
        tokenizer = self.tokenizer(fitted.tokenizer)
        return TextShape(
            head=self.head,
            vocabulary=len(tokenizer),
            max_length=fitted.max_length,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            labels=tuple(self.labels(fitted)),
        )

    def learn_tokenizer(self, texts: Iterable[str]) -> str:
        """Train a tokenizer, where the network begins from scratch; empty where it has its own."""
        if not self.model.from_scratch:
            return ""
        texts = evenly_spread(texts)
        return train_wordpiece(texts, self.model.vocab_size, self.model.lowercase)

    def tokenizer(self, trained: str) -> Any:
        """The tokenizer, made once; ``trained`` is what :meth:`learn_tokenizer` returned."""
        if self._tokenizer is None:
            self._tokenizer = (
                wordpiece_from(trained)
                if self.model.from_scratch
                else load_tokenizer(self.model, **self.tokenizer_options)
            )
        return self._tokenizer

    def limit(self, wanted: int, trained: str) -> int:
        """``wanted`` tokens, or as many as a trained model can take in."""
        if self.model.from_scratch:
            return wanted
        return min(wanted, longest_input(self.model, self.tokenizer(trained)))

    def cache_key(self, fitted: F) -> list[object]:
        """Return what tokenised data depends on besides the rows."""
        backend = self.tokenizer(fitted.tokenizer).backend_tokenizer
        return [self.head, fitted.max_length, backend.to_str()]

    def measured(self, texts: Sequence[str], fitted: F) -> dict[str, str]:
        """Facts on the lengths in tokens of texts that stand for all."""
        tokens = self.tokenizer(fitted.tokenizer)(list(texts), truncation=False)["input_ids"]
        return length_facts([len(ids) for ids in tokens], fitted.max_length)

    def build_network(self, fitted: F) -> nn.Module:
        """The network of the model section, with this task's head."""
        return build_model(self.model, self.shape(fitted))

    def save_network(self, network: nn.Module, fitted: F, folder: Path) -> None:
        """A folder as transformers writes it."""
        del fitted
        saved: Any = network
        saved.save_pretrained(folder)

    def save_companions(self, fitted: F, folder: Path) -> None:
        """The tokenizer, beside the network or its adapter."""
        self.tokenizer(fitted.tokenizer).save_pretrained(folder)

    def load_network(self, fitted: F, folder: Path) -> nn.Module:
        """The network from such a folder, which ``model.path`` names by now."""
        del folder
        return self.build_network(fitted)

    def call_arguments(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """By the names that transformers has."""
        return (), dict(batch.inputs)

    def samples(self, network: nn.Module, source: Source, fitted: F) -> list[dict[str, str]]:
        """The first few rows, what the network makes of them, and what is true."""
        plan = source.plan(_SHOWN)[:1]
        batch = next(source.read(plan), None)
        if batch is None or batch.rows is None:
            return []
        return self.shown(batch.rows, self.predict(network, batch, fitted), fitted)[:_SHOWN]

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: F
    ) -> list[dict[str, str]]:
        """Rows beside their predictions, as short texts."""
        raise NotImplementedError
