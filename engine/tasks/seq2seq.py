"""A text from a text: translation, summarisation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from engine.batches.source import Batch, Source
from engine.config.tasks.seq2seq import Seq2SeqConfig
from engine.data.labels import IGNORED
from engine.data.load import load_data
from engine.data.raw import RawData
from engine.data.splits import cut_splits
from engine.metrics.evaluator import Evaluator
from engine.metrics.translation import TranslationEvaluator, Written
from engine.models.token_losses import summed_sequence_loss
from engine.models.transformer import pretrained_config
from engine.reports.data_summary import DataSummary
from engine.runs.events import Report
from engine.tasks.generation import GenerationTask
from engine.tasks.text import TextFitted
from engine.text.bpe import ending_texts
from engine.text.cache import encoded
from engine.text.columns import chosen
from engine.text.padding import padded
from engine.text.rows import blank, some_of, texts_in, without_faults
from engine.text.sides import laid_open, sides, texts_of
from engine.text.source import TokenSource, token_inputs
from engine.text.summary import summary_of
from engine.text.writing import Writing, sources_of, written


class Seq2SeqFitted(TextFitted):
    """The columns, and what the decoder needs."""

    source: str
    target: str
    max_target_length: int
    decoder_start_token_id: int


class Seq2Seq(GenerationTask[Seq2SeqFitted]):
    """The target, token by token, from the source and the target so far."""

    fitted_type = Seq2SeqFitted
    head = "seq2seq_lm"

    @property
    def section(self) -> Seq2SeqConfig:
        """The task's own fields."""
        section = self.config.task
        assert isinstance(section, Seq2SeqConfig)
        return section

    def load(self) -> RawData:
        """Rows that have both sides; records of texts by language are laid open."""
        raw = laid_open(load_data(self.config.data))
        columns = self._columns(raw.train)
        for table in raw.splits.values():
            sides(table, *columns)  # a split may lack what the training rows have
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
        sources = self.measured(self._sources(some, fitted), fitted)
        # The same facts of the other side, held against its own limit.
        other = fitted.model_copy(update={"max_length": fitted.max_target_length})
        targets = self.measured(texts_of(some, fitted.target), other)
        facts = {f"source {name}": fact for name, fact in sources.items()}
        facts |= {f"target {name}": fact for name, fact in targets.items()}
        facts["tokenizer"] = f"{len(self.tokenizer(fitted.tokenizer)):,} tokens"
        roles = {fitted.source: "source", fitted.target: "target"}
        return summary_of(self.config, raw, roles, facts)

    def _sources(self, table: pa.Table, fitted: Seq2SeqFitted) -> list[str]:
        return [self.section.prefix + text for text in texts_of(table, fitted.source)]

    def encode(
        self, table: pa.Table, fitted: Seq2SeqFitted, device: torch.device, report: Report
    ) -> Source:
        """Tokens of both sides; of sources alone where there is no target."""
        chosen(table, fitted.source, "task.source")
        tokenizer = self.tokenizer(fitted.tokenizer)
        columns = {"source": pa.array(self._sources(table, fitted), pa.string())}
        if fitted.target in table.column_names:
            columns["target"] = pa.array(texts_of(table, fitted.target), pa.string())
            # Texts are written for the rows that come first in a random order.
            columns["place"] = pa.array(np.random.default_rng(0).permutation(table.num_rows))
        tokenise = _Tokenise(tokenizer, fitted.max_length, fitted.max_target_length)
        key = [*self.cache_key(fitted), fitted.max_target_length]
        samples = encoded(pa.table(columns), tokenise, key, report)
        collate = _Collate(tokenizer.pad_token_id, fitted.decoder_start_token_id)
        return TokenSource(samples, collate, device, table)

    def inputs(self, fitted: Seq2SeqFitted) -> tuple[str, ...]:
        """The source."""
        return (fitted.source,)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean over the tokens of the targets, each foretold from the true ones before it."""
        labels = batch.targets["labels"]
        total = summed_sequence_loss(network, batch.inputs, labels, self.section.label_smoothing)
        return total / batch.weight

    def call_arguments(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Both sides by name; only tensors are given back."""
        return (), {**batch.inputs, "use_cache": False}

    def evaluator(self, fitted: Seq2SeqFitted) -> Evaluator:
        """Loss, and BLEU, chrF and exact match of some texts that the network writes."""

        def write(network: nn.Module, sources: Sequence[Tensor], final: bool) -> list[str]:
            return self._written(network, sources, fitted, self._writing(beams=final))

        def pairs(rows: pa.Table) -> tuple[list[str], list[str]]:
            return texts_of(rows, fitted.source), texts_of(rows, fitted.target)

        section = self.section
        return TranslationEvaluator(
            write, pairs, (section.eval_rows, section.final_rows), section.bleu_tokenizer
        )

    def predict(
        self, network: nn.Module, batch: Batch, fitted: Seq2SeqFitted
    ) -> list[dict[str, Any]]:
        """Each source, and what the network writes for it."""
        tokens = sources_of(batch.inputs)
        texts = self._written(network, tokens, fitted, self._writing(beams=True))
        sources = texts_of(batch.rows, fitted.source)
        return [
            {"source": source, "generated": text}
            for source, text in zip(sources, texts, strict=True)
        ]

    def _written(
        self,
        network: nn.Module,
        sources: Sequence[Tensor],
        fitted: Seq2SeqFitted,
        writing: Writing,
    ) -> list[str]:
        tokenizer = self.tokenizer(fitted.tokenizer)
        return written(network, tokenizer, sources, fitted.decoder_start_token_id, writing)

    def _writing(self, beams: bool) -> Writing:
        section = self.section
        return Writing(
            section.max_new_tokens, section.num_beams if beams else 1, section.length_penalty
        )

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: Seq2SeqFitted
    ) -> list[dict[str, str]]:
        """Source, what was written, and reference."""
        references = texts_of(rows, fitted.target)
        return [
            Written(record["source"], record["generated"], reference).record()
            for record, reference in zip(records, references, strict=True)
        ]


class _Tokenise:
    """Texts as tokens, each ended as the tokenizer does."""

    def __init__(self, tokenizer: Any, max_length: int, max_target_length: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._max_target_length = max_target_length

    def __call__(self, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        options = {"truncation": True, "return_attention_mask": False}
        sources = self._tokenizer(rows["source"], max_length=self._max_length, **options)
        samples = {"input_ids": sources["input_ids"]}
        if "target" in rows:
            targets = self._tokenizer(
                text_target=rows["target"], max_length=self._max_target_length, **options
            )
            samples |= {"labels": targets["input_ids"], "place": rows["place"]}
        return samples


class _Collate:
    """Samples as a batch, with the targets where there are some."""

    def __init__(self, pad_token_id: int, start: int) -> None:
        self._pad = pad_token_id
        self._start = start

    def __call__(self, samples: pa.Table) -> Batch:
        inputs = token_inputs(samples, self._pad)
        if "labels" not in samples.column_names:
            return Batch(inputs, None, samples.num_rows)
        labels = padded(samples["labels"], IGNORED)
        # The decoder sees each target one place late, behind the token that it begins with.
        before = torch.full_like(labels[:, :1], self._start)
        shifted = torch.cat([before, labels[:, :-1]], dim=1)
        inputs["decoder_input_ids"] = shifted.masked_fill(shifted == IGNORED, self._pad)
        targets = {"labels": labels, "places": samples["place"].to_pylist()}
        return Batch(inputs, targets, int((labels != IGNORED).sum()))
