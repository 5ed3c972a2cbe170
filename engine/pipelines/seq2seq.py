"""Data of translation and summarisation: a source and a target in each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.seq2seq import Seq2SeqConfig
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.data.splits import cut_splits
from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.models.weights.pretrained import pretrained_config
from engine.pipelines.generation import GenerationPipeline
from engine.pipelines.text import TextFitted
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.columns import by_name
from engine.text.rows import blank, some_of, texts_in, without_faults
from engine.text.sides import laid_open, sides, texts_of
from engine.text.tokens.any_tokenizer import reads_targets
from engine.text.tokens.bpe import ending_texts
from engine.text.tokens.languages import choose_languages

_INSTRUCTIONS = ("instruction", "prompt")
"""Names of columns that belong to a source beside them."""


class Seq2SeqFitted(TextFitted):
    """The columns, and what the decoder needs."""

    source: str
    target: str
    max_target_length: int
    decoder_start_token_id: int


class Seq2SeqPipeline(GenerationPipeline[Seq2SeqFitted]):
    """Rows with a source and a target."""

    section: Seq2SeqConfig
    fitted_type = Seq2SeqFitted

    def load(self) -> RawData:
        """Rows that have both sides; records of texts by language become columns."""
        raw = laid_open(load_texts(self.config.data))
        columns = self._columns(raw.train)
        for table in raw.splits.values():
            sides(table, *columns)  # a split may lack what the training rows have
        notes = [] if self.section.source else _unused_instructions(raw.train, columns)
        raw = raw.with_splits(raw.splits, *notes)
        raw = without_faults(raw, lambda table: blank(table, columns))
        return cut_splits(raw, self.config.data)

    def _columns(self, table: pa.Table) -> tuple[str, str]:
        return sides(table, self.section.source, self.section.target)

    def learn_tokenizer(self, texts: Iterable[str]) -> str:
        """Train a byte-level tokenizer that ends each text, where the network is new."""
        trained = super().learn_tokenizer(texts)
        return ending_texts(trained) if trained else ""

    def fit(self, raw: RawData) -> Seq2SeqFitted:
        """Train one tokenizer for both sides where the network is new."""
        source, target = self._columns(raw.train)
        prefix = [self.section.prefix] if self.section.prefix else []
        trained = self.learn_tokenizer(chain(prefix, texts_in(raw.train, (source, target))))
        return Seq2SeqFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_source_length, trained),
            source=source,
            target=target,
            max_target_length=self.limit(self.section.max_target_length, trained),
            decoder_start_token_id=self._start(trained),
        )

    @override
    def prepare_tokenizer(self, tokenizer: Any) -> None:
        """Choose the languages of both sides; raises :class:`TrainingError`."""
        choose_languages(tokenizer, self.section.source_language, self.section.target_language)
        if not reads_targets(tokenizer):
            raise TrainingError(
                f"model.path: the tokenizer of {plain(self.model.path, 200)} writes targets with "
                "another vocabulary than it reads them with.",
                "Choose another model.",
            )

    def _start(self, trained: str) -> int:
        """The token that a decoder begins with: padding, unless the model has its own."""
        pad: int = self.tokenizer(trained).pad_token_id
        if self.model.from_scratch:
            return pad
        start = getattr(pretrained_config(self.model), "decoder_start_token_id", None)
        return pad if start is None else int(start)

    def summarize(self, raw: RawData, fitted: Seq2SeqFitted) -> DataSummary:
        """Columns, and how long both sides are."""
        some = some_of(raw.train)
        sources = self.measured(self.sources(some, fitted), fitted)
        # The same facts of the other side, held against its own limit.
        other = fitted.model_copy(update={"max_length": fitted.max_target_length})
        targets = self.measured(texts_of(some, fitted.target), other)
        facts = {f"source {name}": fact for name, fact in sources.items()}
        facts |= {f"target {name}": fact for name, fact in targets.items()}
        facts["tokenizer"] = f"{len(self.tokenizer(fitted.tokenizer)):,} tokens"
        roles = {fitted.source: "source", fitted.target: "target"}
        return self.text_summary(raw, fitted, roles, facts)

    def sources(self, table: pa.Table, fitted: Seq2SeqFitted) -> list[str]:
        """The source texts, each behind the prefix."""
        return [self.section.prefix + text for text in texts_of(table, fitted.source)]

    def inputs(self, fitted: Seq2SeqFitted) -> tuple[str, ...]:
        """The source."""
        return (fitted.source,)

    @override
    def before_texts(self) -> Sequence[str]:
        return (self.section.prefix,)

    @override
    def texts_of_rows(self, fitted: Seq2SeqFitted) -> tuple[str, ...]:
        return fitted.source, fitted.target


def _unused_instructions(table: pa.Table, columns: Sequence[str]) -> list[Note]:
    """Return a note on a column that says what to do with the sources, as Alpaca's."""
    name = by_name(table, _INSTRUCTIONS)
    if name is None or name in columns:
        return []
    shown, source = plain(name, 40), plain(columns[0], 40)
    why = f"{shown} is not used, and rows without {source} are left out: join both in one column"
    return [Note(why, shown, rows=table.num_rows, change="task.source")]
