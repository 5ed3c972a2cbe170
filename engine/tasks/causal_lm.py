"""Texts, one token after the other; or answers to instructions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.batches.source import Batch, Source
from engine.config.tasks.causal_lm import CausalLmConfig
from engine.data.labels import IGNORED
from engine.data.on_disk import table_of
from engine.data.raw import RawData
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.text.language import LanguageEvaluator, frequency_metrics
from engine.models.language.segment_lengths import segments
from engine.models.language.token_losses import measured_sums, summed_loss, summed_row_loss
from engine.pipelines.causal_lm import CausalLmFitted, CausalLmPipeline
from engine.reports.views import Texts, View
from engine.runs.events import Log, Report
from engine.tasks.chat_files import chat_files
from engine.tasks.continuations import Continuations, tokens_of
from engine.tasks.network_files import NetworkFiles
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.text import TextTask
from engine.tasks.writer import ASKED_FOR, Writer
from engine.text.chat.instructions import ROW, Instructions
from engine.text.chat.labelled_texts import SEGMENTS
from engine.text.chat.prompts import Prompt
from engine.text.chat.roles import by_role
from engine.text.chat.usable_samples import usable
from engine.text.columns import chosen
from engine.text.forgetting import MOST, other_texts, token_samples
from engine.text.generation.finite_outputs import or_why_not
from engine.text.generation.prompt_tokens import encoded_prompts, written_prompts
from engine.text.row_notes import warn
from engine.text.rows import texts_in
from engine.text.tokens.beginning import begun
from engine.text.tokens.blocks import BlockSource, pieces, token_row
from engine.text.tokens.cache import encoded
from engine.text.tokens.padding import padded
from engine.text.tokens.source import TokenSource, token_inputs

_SHOWN = 3
_CONTINUED = ("text", SEGMENTS)
"""Forms of texts that are continued as they stand, without turns."""
_AT_ONCE = 256
"""Texts that are written to disk together."""


class CausalLm(TextTask[CausalLmFitted]):
    """The next token, from all before it."""

    pipeline: CausalLmPipeline
    section: CausalLmConfig

    head = "causal_lm"

    def encode(
        self, table: pa.Table, fitted: CausalLmFitted, device: torch.device, report: Report
    ) -> Source:
        """Blocks of plain text, or padded instructions."""
        if fitted.form != "text":
            return self._instructions(table, fitted, device, report)
        tokens, characters = self._tokens(table, fitted, report)
        if len(tokens) <= fitted.max_length:
            raise DataError(
                f"A text has only {len(tokens):,} tokens, where a block needs "
                f"{fitted.max_length + 1:,}.",
                "Lower task.max_length, or give more text.",
            )
        row = torch.from_numpy(tokens)
        share = characters / len(tokens)
        return BlockSource(row, fitted.max_length, share, device, fitted.beginning)

    def _tokens(
        self, table: pa.Table, fitted: CausalLmFitted, report: Report
    ) -> tuple[NDArray[np.int32], int]:
        """All tokens of a split, and its number of characters."""
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        end = [] if fitted.lines else [tokenizer.eos_token_id]
        begin = [] if fitted.lines else fitted.beginning

        def tokenise(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
            tokens = tokenizer(rows["text"], add_special_tokens=False, return_attention_mask=False)
            return {"input_ids": [begun(ids, begin) + end for ids in tokens["input_ids"]]}

        key = [*self.cache_key(fitted), "blocks", fitted.lines, begin]
        schema = pa.schema({"text": pa.string()})
        texts = pieces(texts_in(table, fitted.columns), fitted.lines)
        some = iter(lambda: list(itertools.islice(texts, _AT_ONCE)), [])
        together = table_of((pa.record_batch([part], schema=schema) for part in some), schema)
        samples = encoded(together, tokenise, key, report)
        characters = sum(map(len, texts_in(together, ["text"])))
        return token_row(samples.data.column("input_ids")), characters

    def _instructions(
        self, table: pa.Table, fitted: CausalLmFitted, device: torch.device, report: Report
    ) -> Source:
        tokenizer = self.pipeline.chat_tokenizer(fitted)
        prompts = self.pipeline.prompts(fitted)
        only = self.section.completions_only
        tokenise = Instructions(tokenizer, fitted.max_length, only, prompts, fitted.too_long)
        about = [fitted.separator, fitted.chat, tokenizer.chat_template, fitted.date,
                 fitted.variables]  # fmt: skip
        key = [*self.cache_key(fitted), only, fitted.too_long, *about, fitted.beginning]
        rows = by_role(table, fitted.roles.by_name)
        rows = rows.append_column(ROW, pa.array(range(rows.num_rows)))
        samples, notes = usable(
            encoded(rows, tokenise, key, report), fitted.max_length, fitted.too_long
        )
        for note in notes:
            report(warn(note))
        return TokenSource(samples, _Collate(tokenizer.pad_token_id), device)

    def encode_new(
        self, table: pa.Table, fitted: CausalLmFitted, device: torch.device, report: Report
    ) -> Source:
        """Encode prompts to continue, as tokens."""
        del report
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)

        prompts = self._prompts(table, fitted)
        samples = encoded_prompts(tokenizer, prompts, self.cache_key(fitted), _silent)
        return TokenSource(samples, _Collate(tokenizer.pad_token_id), device, table)

    def _prompts(self, table: pa.Table, fitted: CausalLmFitted) -> list[Prompt]:
        chosen(table, fitted.columns[0], "The data to predict from")
        rows = by_role(table, fitted.roles.by_name).to_pylist()
        if fitted.form == "text":
            return [Prompt(row["text"] or "", "", (), fitted.beginning) for row in rows]
        return written_prompts(self.pipeline.prompts(fitted), rows)

    def forgetting(
        self, fitted: CausalLmFitted, device: torch.device, report: Report
    ) -> Source | None:
        """Return the texts of ``task.forgetting_path``, or general ones for a base model."""
        path = self.section.forgetting_path
        if path == "-" or (not path and self.config.model.from_scratch):
            return None
        texts = other_texts(path)
        if len(texts) > MOST:
            report(Log(level="info", message=f"Forgetting is measured on the first {MOST:,} of "
                       f"{len(texts):,} texts in {plain(path, 200)}."))  # fmt: skip
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        samples = token_samples(texts[:MOST], tokenizer, fitted.max_length)
        return TokenSource(samples, _Collate(tokenizer.pad_token_id), device)

    @override
    def build_network(self, fitted: CausalLmFitted) -> nn.Module:
        """The network, which notes what its texts are generated with."""
        network = super().build_network(fitted)
        self._continuations(fitted).record_in(network, self.pipeline.ends(fitted))
        return network

    @override
    def files(self, fitted: CausalLmFitted) -> NetworkFiles:
        """With the tokenizer and the chat template of training."""
        return chat_files(self.writer(fitted).to_export)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean over the tokens that are learned."""
        labels = batch.targets["labels"]
        if "lengths" not in batch.targets:
            return summed_loss(network, batch.inputs, labels) / batch.weight
        with segments(batch.targets["lengths"]):
            learned = batch.targets["learned"]
            return summed_row_loss(network, batch.inputs, learned, labels) / batch.weight

    def evaluator(self, fitted: CausalLmFitted) -> Evaluator:
        """Loss, perplexity, and some texts that the network writes."""
        writing, whole = self._continuations(fitted), _learns_all(self.section, fitted)

        def views(network: nn.Module, batch: Batch) -> Sequence[View]:
            return [Texts("Continuations", _continued(network, batch, writing, whole))]

        return LanguageEvaluator(_sums, views)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: CausalLmFitted
    ) -> list[dict[str, Any]]:
        """Return each prompt and the network's continuation."""
        prompts = self._prompts(batch.rows, fitted)
        return self._continuations(fitted).records(network, batch, prompts)

    def samples(self, network: nn.Module, source: Source, fitted: CausalLmFitted) -> ShownSamples:
        """Continuations of a few beginnings."""
        batch = next(source.read(source.plan(_SHOWN)[:1]))
        writing = self._continuations(fitted).while_training
        return ShownSamples(_continued(network, batch, writing, _learns_all(self.section, fitted)))

    def _continuations(self, fitted: CausalLmFitted) -> Continuations:
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        seed = self.config.train.seed
        return Continuations.of(self.section, seed, tokenizer, fitted.max_length)

    def writer(self, fitted: CausalLmFitted) -> Writer:
        """Return what a conversation with the model needs."""
        return Writer(
            tokenizer=self.pipeline.chat_tokenizer(fitted),
            prompts=None if fitted.form in _CONTINUED else self.pipeline.prompts(fitted),
            sampling=self._continuations(fitted).sampling,
            longest=self.pipeline.longest_conversation(fitted),
            context={role: name for role, name in fitted.context.items() if role in ASKED_FOR},
            beginning=fitted.beginning,
            system=fitted.system,
        )

    def baselines(self, raw: RawData, fitted: CausalLmFitted) -> list[Baseline]:
        """Evaluate a unigram model, which predicts by token frequency alone."""
        table = raw.decisive
        if fitted.form != "text" or table is None:
            return []
        seen, _ = self._tokens(raw.train, fitted, _silent)
        tokens, characters = self._tokens(table, fitted, _silent)
        vocabulary = len(self.pipeline.tokenizer(fitted.tokenizer))
        metrics = frequency_metrics(seen, tokens, vocabulary, characters)
        return [Baseline("frequency of tokens", Evaluation(metrics))]


class _Collate:
    """Samples as a batch, with labels where they have some."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, samples: pa.Table) -> Batch:
        inputs = token_inputs(samples, self._pad)
        if "labels" not in samples.column_names:
            return Batch(inputs, None, samples.num_rows)
        labels = padded(samples["labels"], IGNORED)
        targets = {"labels": labels, "characters": float(pc.sum(samples["characters"]).as_py())}
        # A batch whose answers are all cut off counts as nothing, and must not divide by it.
        return Batch(inputs, targets, max(1, int((labels != IGNORED).sum())))


def _sums(network: nn.Module, batch: Batch) -> torch.Tensor:
    return measured_sums(network, batch.inputs, batch.targets["labels"])


def _learns_all(section: CausalLmConfig, fitted: CausalLmFitted) -> bool:
    """Return whether all tokens of a sample are learned, rather than those of answers."""
    return fitted.form == "text" or not section.completions_only


def _continued(
    network: nn.Module, batch: Batch, writing: Continuations, whole: bool
) -> list[dict[str, str]]:
    """Return beginnings, what the network writes, and what the data has there.

    ``whole`` if all of a sample is learned: then a quarter is its beginning, else the prompt.
    """
    tokens = tokens_of(batch)[:_SHOWN]
    begun = [_known(batch, row, len(ids), whole) for row, ids in enumerate(tokens)]
    prompts = [ids[:end] for ids, end in zip(tokens, begun, strict=True)]
    texts = or_why_not(lambda: writing.texts(network, prompts), len(prompts))
    most = writing.sampling.max_new_tokens
    return [
        {
            "prompt": writing.tokenizer.decode(prompt, skip_special_tokens=True),
            "continuation": text,
            "reference": _beginning(writing.tokenizer, ids[len(prompt) :], most),
        }
        for ids, prompt, text in zip(tokens, prompts, texts, strict=True)
    ]


def _known(batch: Batch, row: int, tokens: int, whole: bool) -> int:
    """Return how many of a row's ``tokens`` are shown to the network."""
    if whole:
        return max(1, tokens // 4)
    learned = (batch.targets["labels"][row] != IGNORED).nonzero()
    return int(learned[0]) + 1 if len(learned) else tokens


def _beginning(tokenizer: Any, tokens: Sequence[int], most: int) -> str:
    """The text of the first tokens, with an ellipsis where there are more."""
    text: str = tokenizer.decode(tokens[:most], skip_special_tokens=True)
    return f"{text}…" if tokenizer.decode(tokens[most:], skip_special_tokens=True) else text


_silent: Report = lambda event: None  # noqa: E731
