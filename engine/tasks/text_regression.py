"""Text regression: one number for a text or a pair of texts, in the units of the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from engine.baselines.bag_of_words import ROWS, WORDS_AND_RIDGE, numbers_from_words
from engine.baselines.baseline import Baseline
from engine.batches.source import Batch, Source
from engine.config.tasks.text_regression import TextRegressionConfig
from engine.data.on_disk import evenly
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.logits import logits_of
from engine.metrics.retrieval.similarity import correlations
from engine.metrics.tables.regression import LOSSES, evaluate_numbers
from engine.metrics.text.numbers import Pairs, TextNumbers, keyed_pairs
from engine.models.shapes import TextShape
from engine.models.tables.number_head import begin_at, log_odds, prepare_head
from engine.pipelines.text_regression import TextRegressionFitted, TextRegressionPipeline
from engine.reports.gallery import Gallery
from engine.runs.events import Report
from engine.tasks.galleries.rows import numbers_gallery
from engine.tasks.network_files import NetworkFiles
from engine.tasks.text import TextTask
from engine.text.columns import chosen
from engine.text.numbers_of import numbers_of
from engine.text.rows import joined_texts, text_column, texts_in
from engine.text.tokens.cache import encoded
from engine.text.tokens.source import TokenSource, token_inputs

_ACTIVATIONS = {
    True: "torch.nn.modules.activation.Sigmoid",
    False: "torch.nn.modules.linear.Identity",
}
"""The activation that CrossEncoder of sentence-transformers applies, by whether it is a logit."""


class TextRegression(TextTask[TextRegressionFitted]):
    """The network's only output is the number; with the loss bce, its logit."""

    pipeline: TextRegressionPipeline
    section: TextRegressionConfig

    head = "sequence_classification"
    _evaluator: TextNumbers | None = None

    def encode(
        self,
        table: pa.Table,
        fitted: TextRegressionFitted,
        device: torch.device,
        report: Report,
    ) -> Source:
        """Tokens and, where there is one, the number."""
        columns = {"text": text_column(table, chosen(table, fitted.text, "task.text"))}
        if fitted.text_pair:
            columns["pair"] = text_column(table, chosen(table, fitted.text_pair, "task.text_pair"))
        if fitted.target in table.column_names:
            columns["target"] = pa.chunked_array(
                [pa.array(numbers_of(table, fitted.target), pa.float64())]
            )
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)

        def tokenise(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
            tokens = tokenizer(
                rows["text"], rows.get("pair"), truncation=True, max_length=fitted.max_length,
                return_attention_mask=False,
            )  # fmt: skip
            return dict(tokens) | ({"target": rows["target"]} if "target" in rows else {})

        samples = encoded(pa.table(columns), tokenise, self.cache_key(fitted), report)
        return TokenSource(samples, _Collate(tokenizer.pad_token_id), device, table)

    def labels(self, fitted: TextRegressionFitted) -> list[str]:
        """The target."""
        return fitted.names

    @override
    def explained_columns(self, fitted: TextRegressionFitted) -> list[str]:
        return [name for name in (fitted.text, fitted.text_pair) if name]

    def shape(self, fitted: TextRegressionFitted) -> TextShape:
        """With one output, which is a number."""
        return replace(super().shape(fitted), regression=True)

    def build_network(self, fitted: TextRegressionFitted) -> nn.Module:
        """The network, whose new head begins at the mean of the target."""
        network: Any = super().build_network(fitted)
        self._std = 1.0 if self._as_logit else fitted.std
        mean = log_odds(fitted.mean) if self._as_logit else fitted.mean
        begin_at(network, mean, self._std)
        prepare_head(network, self._std)
        noted = dict(getattr(network.config, "sentence_transformers", None) or {})
        network.config.sentence_transformers = noted | {
            "activation_fn": _ACTIVATIONS[self._as_logit]
        }
        built: nn.Module = network
        return built

    @property
    def _as_logit(self) -> bool:
        return self.section.loss == "bce"

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of the numbers in standard deviations, or the cross-entropy of logits."""
        return self._loss(_outputs(network, batch), batch.targets)

    def _loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self._as_logit:
            return functional.binary_cross_entropy_with_logits(outputs.float(), targets)
        return LOSSES[self.section.loss](outputs.float() / self._std, targets / self._std)

    def _said(self, outputs: Tensor) -> Tensor:
        """The numbers that outputs stand for."""
        return outputs.sigmoid() if self._as_logit else outputs

    def evaluator(self, fitted: TextRegressionFitted) -> Evaluator:
        """Errors in the target's units, and the texts with the largest ones."""
        self._evaluator = TextNumbers(_outputs, self._loss, self._said, _pairs_of(fitted))
        return self._evaluator

    @override
    def gallery(
        self, network: nn.Module, source: Source, fitted: TextRegressionFitted
    ) -> Gallery | None:
        """The largest errors of the last evaluation with views."""
        del network, source
        return numbers_gallery(self._evaluator, self.explained_columns(fitted))

    def predict(
        self, network: nn.Module, batch: Batch, fitted: TextRegressionFitted
    ) -> list[dict[str, Any]]:
        """The number."""
        del fitted
        values = self._said(_outputs(network, batch).float()).tolist()
        return [{"value": value} for value in values]

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: TextRegressionFitted
    ) -> list[dict[str, str]]:
        """Text, prediction and target."""
        texts = joined_texts(rows, [fitted.text, fitted.text_pair])
        return [
            {"text": text, "predicted": f"{record['value']:.5g}", "true": f"{true:.5g}"}
            for text, record, true in zip(
                texts, records, numbers_of(rows, fitted.target), strict=True
            )
        ]

    @override
    def baselines(self, raw: RawData, fitted: TextRegressionFitted) -> list[Baseline]:
        """Ridge regression on weighted words and pairs of words."""
        table = raw.decisive
        if table is None:
            return []
        columns = [fitted.text, fitted.text_pair]
        some = evenly(raw.train, ROWS)
        predicted = numbers_from_words(
            joined_texts(some, columns), numbers_of(some, fitted.target),
            joined_texts(table, columns),
        )  # fmt: skip
        truth = torch.tensor(numbers_of(table, fitted.target), dtype=torch.float64)
        result = evaluate_numbers(predicted, truth.numpy(), 0.0)
        metrics, rows = result.metrics, keyed_pairs(result.rows, _pairs_of(fitted)(table))
        del metrics["loss"]  # of what another loss function learned
        metrics["spearman"] = correlations(predicted, truth.numpy())["spearman"]
        return [Baseline(WORDS_AND_RIDGE, Evaluation(metrics, rows=rows))]

    @override
    def files(self, fitted: TextRegressionFitted) -> NetworkFiles:
        """With the tokenizer, which cuts texts where they were cut in training."""
        usual = super().files(fitted)

        def companions(folder: Path) -> None:
            self.pipeline.tokenizer(fitted.tokenizer).model_max_length = fitted.max_length
            usual.companions(folder)

        return replace(usual, companions=companions)


class _Collate:
    """Samples as a batch; a picklable function with the number of the padding token."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, samples: pa.Table) -> Batch:
        targets = None
        if "target" in samples.column_names:
            targets = torch.tensor(samples["target"].to_pylist(), dtype=torch.float32)
        return Batch(token_inputs(samples, self._pad), targets, samples.num_rows)


def _outputs(network: nn.Module, batch: Batch) -> Tensor:
    """Return the network's output ``[batch, 1]`` as ``[batch]``."""
    return logits_of(network, batch.inputs).squeeze(1)


def _pairs_of(fitted: TextRegressionFitted) -> Callable[[pa.Table], Pairs]:
    def pairs(rows: pa.Table) -> Pairs:
        texts = list(texts_in(rows, [fitted.text]))
        second = list(texts_in(rows, [fitted.text_pair])) if fitted.text_pair else [""] * len(texts)
        return list(zip(texts, second, strict=True))

    return pairs
