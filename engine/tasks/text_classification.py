"""Text classification: one class, or several labels, of a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from engine.baselines.bag_of_words import ROWS, WORDS_AND_LOGISTIC, bag_of_words, labels_from_words
from engine.baselines.baseline import Baseline
from engine.batches.device_constant import DeviceConstant
from engine.batches.source import Batch, Source
from engine.config.tasks.text_classification import TextClassificationConfig
from engine.data.on_disk import evenly, in_windows
from engine.data.raw import RawData
from engine.metrics.classes.classification import balanced_weights, class_loss
from engine.metrics.evaluator import Evaluator
from engine.metrics.logits import logits_of
from engine.metrics.text.mistakes import LabelledTexts
from engine.models.shapes import TextShape
from engine.pipelines.text_classification import (
    TextClassificationFitted,
    TextClassificationPipeline,
)
from engine.reports.class_records import class_record, labels_record, said
from engine.reports.gallery import Gallery
from engine.runs.events import Report
from engine.tasks.galleries.rows import texts_gallery
from engine.tasks.text import TextTask
from engine.text.classes.labels import Label, flags_of, labels_of, names_in
from engine.text.classes.spellings import codes_of
from engine.text.columns import chosen
from engine.text.rows import joined_texts, text_column
from engine.text.tokens.cache import encoded
from engine.text.tokens.source import TokenSource, token_inputs


class TextClassification(TextTask[TextClassificationFitted]):
    """One class a text, or several at once where the label is a list."""

    pipeline: TextClassificationPipeline
    section: TextClassificationConfig

    head = "sequence_classification"
    _evaluator: LabelledTexts | None = None

    def encode(
        self,
        table: pa.Table,
        fitted: TextClassificationFitted,
        device: torch.device,
        report: Report,
    ) -> Source:
        """Tokens and, where there is a label, the number of its class."""
        columns = {"text": text_column(table, chosen(table, fitted.text, "text"))}
        if fitted.text_pair:
            columns["pair"] = text_column(table, chosen(table, fitted.text_pair, "text_pair"))
        if fitted.label in table.column_names:
            columns["target"] = pa.chunked_array([_codes(table, fitted)])
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)

        def tokenise(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
            tokens = tokenizer(
                rows["text"], rows.get("pair"), truncation=True, max_length=fitted.max_length,
                return_attention_mask=False,
            )  # fmt: skip
            return dict(tokens) | ({"target": rows["target"]} if "target" in rows else {})

        samples = encoded(pa.table(columns), tokenise, self.cache_key(fitted), report)
        return TokenSource(samples, _Collate(tokenizer.pad_token_id), device, table)

    def labels(self, fitted: TextClassificationFitted) -> Sequence[str]:
        """The classes."""
        return fitted.classes

    @override
    def explained_columns(self, fitted: TextClassificationFitted) -> list[str]:
        return [name for name in (fitted.text, fitted.text_pair) if name]

    @override
    def probabilities(
        self, fitted: TextClassificationFitted
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        return torch.sigmoid if fitted.multi_label else partial(torch.softmax, dim=-1)

    def shape(self, fitted: TextClassificationFitted) -> TextShape:
        """With a sigmoid a class where a text can have several."""
        return replace(super().shape(fitted), multi_label=fitted.multi_label)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy; over each class by itself where a text can have several."""
        logits = logits_of(network, batch.inputs)
        if batch.targets.ndim == 2:
            return functional.binary_cross_entropy_with_logits(logits, batch.targets.to(logits))
        return class_loss(
            logits, batch.targets, self._weights(logits), self.section.label_smoothing
        )

    def evaluator(self, fitted: TextClassificationFitted) -> Evaluator:
        """Metrics of classes, and the worst mistakes with their texts."""
        text_of = self._text_of(fitted)
        self._evaluator = LabelledTexts(fitted.classes, fitted.multi_label, text_of)
        return self._evaluator

    @override
    def gallery(
        self, network: nn.Module, source: Source, fitted: TextClassificationFitted
    ) -> Gallery | None:
        """The worst mistakes of the last evaluation with views."""
        del network, source
        return texts_gallery(self._evaluator, self.explained_columns(fitted), fitted.multi_label)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: TextClassificationFitted
    ) -> list[dict[str, Any]]:
        """The class, how sure the network is, and the likeliest five."""
        logits = logits_of(network, batch.inputs).float()
        if fitted.multi_label:
            rows = logits.sigmoid().tolist()
            return [labels_record(row, fitted.classes) for row in rows]
        return [class_record(row, fitted.classes) for row in logits.softmax(1).tolist()]

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: TextClassificationFitted
    ) -> list[dict[str, str]]:
        """Text, prediction and label."""
        text_of = self._text_of(fitted)
        return [
            {"text": text, "predicted": said(record), "label": _joined(label)}
            for text, record, label in zip(
                text_of(rows), records, _labels(rows, fitted), strict=True
            )
        ]

    @override
    def baselines(self, raw: RawData, fitted: TextClassificationFitted) -> list[Baseline]:
        """Logistic regression on weighted words and pairs of words."""
        table = raw.decisive
        if table is None:
            return []
        columns = [fitted.text, fitted.text_pair]
        some = evenly(raw.train, ROWS)
        if fitted.multi_label:
            known, new = (
                (joined_texts(part, columns), _codes(part, fitted).to_pylist())
                for part in (some, table)
            )
            result = labels_from_words(known, new, fitted.classes)
            return [Baseline(WORDS_AND_LOGISTIC, result)]
        result = bag_of_words(
            (joined_texts(some, columns), _codes(some, fitted).tolist()),
            (
                (joined_texts(part, columns), _codes(part, fitted).tolist())
                for part in in_windows(table)
            ),
            fitted.classes,
        )
        return [Baseline(WORDS_AND_LOGISTIC, result)]

    def build_network(self, fitted: TextClassificationFitted) -> nn.Module:
        """The network with this task's head; keeps the weight of each class in the loss."""
        balanced = self.section.class_weights == "balanced" and not fitted.multi_label
        self._class_weights = DeviceConstant(balanced_weights(fitted.counts)) if balanced else None
        return super().build_network(fitted)

    def _weights(self, logits: torch.Tensor) -> torch.Tensor | None:
        known = self._class_weights
        return None if known is None else known.like(logits, torch.float32)

    def _text_of(self, fitted: TextClassificationFitted) -> Callable[[pa.Table], list[str]]:
        return lambda table: joined_texts(table, [fitted.text, fitted.text_pair])


class _Collate:
    """Samples as a batch; a picklable function with the number of the padding token."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, samples: pa.Table) -> Batch:
        targets = None
        if "target" in samples.column_names:
            targets = torch.tensor(samples["target"].to_pylist())
        return Batch(token_inputs(samples, self._pad), targets, samples.num_rows)


def _labels(table: pa.Table, fitted: TextClassificationFitted) -> list[Label]:
    if fitted.label not in table.column_names:
        return [None] * table.num_rows
    return labels_of(table, fitted.label)


def _codes(table: pa.Table, fitted: TextClassificationFitted) -> pa.Array:
    """The number of each row's class, or a 0 or 1 for each class."""
    labels = _labels(table, fitted)
    if fitted.multi_label:
        return pa.array(flags_of(labels, fitted.classes), pa.list_(pa.int64()))
    return pa.array(codes_of(labels, fitted.classes), pa.int64())


def _joined(names: Label) -> str:
    return ", ".join(names_in(names)) or "—"
