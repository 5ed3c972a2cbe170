"""Shared base of the pipelines of text tasks: the tokenizer, trained or the model's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
from typing_extensions import override

from engine.config.models.transformer import TransformerConfig
from engine.config.run_config import RunConfig
from engine.config.tasks.plain_texts import PlainTextsConfig
from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.models.language.text_tokenizer import load_tokenizer, longest_input
from engine.pipelines.pipeline import DataPipeline
from engine.reports.counted import counted
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.spread import evenly_spread
from engine.text.summary import summary_of
from engine.text.tokens.lengths import length_facts
from engine.text.tokens.plain_texts import (
    can_read_as_text,
    find_special_tokens,
    holds_special_token,
    read_as_text,
)
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from


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
            if self.reads_plain_texts(made):
                read_as_text(made)
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
        return length_facts(self.token_counts(texts, fitted), fitted.max_length)

    def token_counts(self, texts: Sequence[str], fitted: F) -> list[int]:
        """Return the number of tokens of each text, whatever the maximum is."""
        tokens = self.tokenizer(fitted.tokenizer)(list(texts), truncation=False)["input_ids"]
        return [len(ids) for ids in tokens]

    def reads_plain_texts(self, tokenizer: Any) -> bool:
        """Return whether special tokens that are written in the texts are plain text.

        They are not where the task's own prompt has some, which stands in one text with the row's,
        nor where the tokenizer has no way to read them so.
        """
        task = self.config.task
        wanted = isinstance(task, PlainTextsConfig) and task.special_tokens == "plain"
        if not wanted or holds_special_token(tokenizer, self.before_texts()):
            return False
        return can_read_as_text(tokenizer)

    def before_texts(self) -> Sequence[str]:
        """Return what the task writes before each text."""
        return ()

    def texts_of_rows(self, fitted: F) -> tuple[str, ...]:
        """Return the columns of texts, or lists of words, that tokens are made of."""
        return self.inputs(fitted)

    def text_summary(
        self,
        raw: RawData,
        fitted: F,
        roles: Mapping[str, str],
        facts: Mapping[str, str],
        classes: Mapping[str, int] | None = None,
    ) -> DataSummary:
        """Return the summary of columns by ``roles``, with notes on special tokens in the texts."""
        notes = [
            note
            for split, table in raw.splits.items()
            for note in self._special_tokens(table, fitted, f"{split}: ")
        ]
        noted = raw.with_splits(raw.splits, *notes)
        return summary_of(self.config, noted, roles, facts, classes)

    @override
    def unfit(self, table: pa.Table, fitted: F) -> Iterable[Note]:
        """Rows to predict from in whose texts special tokens are written."""
        return self._special_tokens(table, fitted)

    def _special_tokens(self, table: pa.Table, fitted: F, where: str = "") -> Iterator[Note]:
        if not isinstance(self.config.task, PlainTextsConfig):
            return
        tokenizer = self.tokenizer(fitted.tokenizer)
        found = find_special_tokens(tokenizer, table, self.texts_of_rows(fitted))
        if found is None:
            return
        token, first = plain(found.token, 40), found.first + 1
        where += f"special tokens are written in the texts of {counted(found.rows, 'row')}, such "
        where += f"as {token} in row {first:,}"
        if tokenizer.split_special_tokens:
            read, why = "plain text", "they are read as plain text"
        else:
            read, why = "special tokens", "they are read as the special tokens of the model"
        if own := holds_special_token(tokenizer, self.before_texts()):
            why += f", as {plain(own, 40)} in the prompt is"
        elif not can_read_as_text(tokenizer):
            why += ", as its tokenizer has no other way"
        yield Note(f"{where}: {why}", read_as=read, rows=found.rows, change="task.special_tokens")
