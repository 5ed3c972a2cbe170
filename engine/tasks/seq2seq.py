"""A text from a text: translation, summarisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.baselines.nearest_source import (
    NEAREST_SOURCE,
    ROWS,
    SAME_TEXT,
    targets_of_nearest,
)
from engine.batches.source import Batch, Source
from engine.config.tasks.seq2seq import Seq2SeqConfig
from engine.data.labels import IGNORED
from engine.data.on_disk import evenly
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.text.translation import TranslationEvaluator, Written, evaluate_texts
from engine.models.language.token_losses import summed_sequence_loss
from engine.pipelines.seq2seq import Seq2SeqFitted, Seq2SeqPipeline
from engine.runs.events import Report
from engine.tasks.deployment import Deployment
from engine.tasks.text import TextTask
from engine.text.columns import chosen
from engine.text.generation.decoding import record_decoding
from engine.text.generation.writing import Writing, sources_of, written
from engine.text.sides import texts_of
from engine.text.tokens.cache import encoded
from engine.text.tokens.languages import first_of_targets
from engine.text.tokens.padding import padded
from engine.text.tokens.source import TokenSource, token_inputs


class Seq2Seq(TextTask[Seq2SeqFitted]):
    """The target, token by token, from the source and the target so far."""

    pipeline: Seq2SeqPipeline
    section: Seq2SeqConfig

    head = "seq2seq_lm"

    def encode(
        self, table: pa.Table, fitted: Seq2SeqFitted, device: torch.device, report: Report
    ) -> Source:
        """Tokens of both sides; of sources alone where there is no target."""
        chosen(table, fitted.source, "task.source")
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        columns = {"source": pa.array(self.pipeline.sources(table, fitted), pa.string())}
        if fitted.target in table.column_names:
            columns["target"] = pa.array(texts_of(table, fitted.target), pa.string())
            # Texts are written for the rows that come first in a random order.
            columns["place"] = pa.array(_places(table.num_rows))
        tokenise = _Tokenise(tokenizer, fitted.max_length, fitted.max_target_length)
        # The languages of targets are no part of what a fast tokenizer reads sources with.
        target_language = getattr(tokenizer, "tgt_lang", None)
        key = [*self.cache_key(fitted), fitted.max_target_length, target_language]
        samples = encoded(pa.table(columns), tokenise, key, report)
        collate = _Collate(tokenizer.pad_token_id, fitted.decoder_start_token_id)
        return TokenSource(samples, collate, device, table)

    def build_network(self, fitted: Seq2SeqFitted) -> nn.Module:
        """The network, which notes what its texts are generated with."""
        network: Any = super().build_network(fitted)
        start = fitted.decoder_start_token_id
        network.config.decoder_start_token_id = start
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        noted = {"decoder_start_token_id": start, "pad_token_id": tokenizer.pad_token_id}
        noted |= first_of_targets(tokenizer)
        record_decoding(network, self._writing(beams=True).options | noted)
        built: nn.Module = network
        return built

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean over the tokens of the targets, each predicted from the true ones before it."""
        labels = batch.targets["labels"]
        total = summed_sequence_loss(network, batch.inputs, labels, self.section.label_smoothing)
        return total / batch.weight

    @override
    def deployment(self) -> Deployment:
        """Both sides by name; only tensors are given back."""
        return Deployment(arguments=lambda batch: ((), {**batch.inputs, "use_cache": False}))

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
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
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

    @override
    def baselines(self, raw: RawData, fitted: Seq2SeqFitted) -> list[Baseline]:
        """The source itself, and the target of the training row whose source is the most alike."""
        held = self._held_out(raw)
        if held is None:
            return []
        sides = [fitted.source, fitted.target]
        new, wanted = (texts_of(held, name) for name in sides)
        sources, targets = (texts_of(evenly(raw.train, ROWS), name) for name in sides)
        said = {SAME_TEXT: new, NEAREST_SOURCE: targets_of_nearest(sources, targets, new)}
        return [
            Baseline(name, self._evaluated(list(map(Written, new, texts, wanted))))
            for name, texts in said.items()
        ]

    def _held_out(self, raw: RawData) -> pa.Table | None:
        """Return the rows for which the network writes texts in the final evaluation."""
        table = raw.decisive
        if table is None or not self.section.final_rows:
            return None
        return table.take(np.argsort(_places(table.num_rows))[: self.section.final_rows])

    def _evaluated(self, texts: list[Written]) -> Evaluation:
        return evaluate_texts(texts, self.section.bleu_tokenizer)


def _places(rows: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the place of each row in a random order, always the same."""
    return np.random.default_rng(0).permutation(rows)


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
