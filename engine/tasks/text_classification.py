"""Text classification: one class, or several labels, of a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import torch
from torch import nn
from torch.nn import functional

from engine.baselines.bag_of_words import ROWS, bag_of_words
from engine.batches.source import Batch, Source
from engine.config.tasks.text_classification import TextClassificationConfig
from engine.data.load import load_data
from engine.data.on_disk import evenly, in_windows
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, class_names
from engine.data.splits import cut_splits
from engine.errors import DataError
from engine.metrics.classification import balanced_weights, class_loss
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.logits import logits_of
from engine.metrics.texts import LabelledTexts
from engine.models.shapes import TextShape
from engine.reports.data_summary import DataSummary
from engine.runs.events import Report
from engine.tasks.text import TextFitted, TextTask
from engine.text import columns
from engine.text.cache import encoded
from engine.text.columns import chosen, is_list
from engine.text.labels import Label, classes_of, flags_of, labels_of
from engine.text.rows import blank, some_of, texts_in, without_faults
from engine.text.source import TokenSource, token_inputs
from engine.text.summary import summary_of


class TextClassificationFitted(TextFitted):
    """Columns and classes of the training rows."""

    text: str
    text_pair: str
    label: str
    classes: list[str]
    counts: list[int]
    multi_label: bool


class TextClassification(TextTask[TextClassificationFitted]):
    """One class a text, or several at once where the label is a list."""

    fitted_type = TextClassificationFitted
    head = "sequence_classification"

    @property
    def section(self) -> TextClassificationConfig:
        """The task's own fields."""
        section = self.config.task
        assert isinstance(section, TextClassificationConfig)
        return section

    def load(self) -> RawData:
        """Rows with a text and a label, in three splits."""
        raw = load_data(self.config.data)
        text, pair, label = self._columns(raw.train)
        raw = without_faults(raw, lambda table: _faults(table, [text, pair], label))
        raw = cut_splits(raw, self.config.data, None if is_list(raw.train, label) else label)
        known = {name for entry in labels_of(raw.splits[TRAIN], label) for name in _names(entry)}
        return without_faults(raw, lambda table: _strangers(table, label, known))

    def fit(self, raw: RawData) -> TextClassificationFitted:
        """Find the classes; train a tokenizer where the network is new."""
        text, pair, label = self._columns(raw.train)
        names = class_names(raw.train, label)
        classes, counts = classes_of(labels_of(raw.train, label), names)
        if len(classes) < 2:
            raise DataError(f"The column {label} has only one class.", "Set task.label.")
        trained = self.learn_tokenizer(texts_in(raw.train, list(filter(None, (text, pair)))))
        return TextClassificationFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            text=text,
            text_pair=pair,
            label=label,
            classes=classes,
            counts=counts,
            multi_label=is_list(raw.train, label),
        )

    def summarize(self, raw: RawData, fitted: TextClassificationFitted) -> DataSummary:
        """Columns, class balance and lengths."""
        roles = {fitted.text: "text", fitted.text_pair: "second text", fitted.label: "label"}
        classes = dict(zip(fitted.classes, fitted.counts, strict=True))
        facts = self.measured(_texts(some_of(raw.train), [fitted.text]), fitted)
        if fitted.multi_label:
            facts["labels"] = f"{sum(fitted.counts) / raw.train.num_rows:.2f} a text on average"
        return summary_of(self.config, raw, roles, facts, classes)

    def encode(
        self,
        table: pa.Table,
        fitted: TextClassificationFitted,
        device: torch.device,
        report: Report,
    ) -> Source:
        """Tokens and, where there is a label, the number of its class."""
        columns = {"text": table[chosen(table, fitted.text, "text")]}
        if fitted.text_pair:
            columns["pair"] = table[chosen(table, fitted.text_pair, "text_pair")]
        if fitted.label in table.column_names:
            columns["target"] = pa.chunked_array([_codes(table, fitted)])
        tokenizer = self.tokenizer(fitted.tokenizer)

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

    def shape(self, fitted: TextClassificationFitted) -> TextShape:
        """With a sigmoid a class where a text can have several."""
        return replace(super().shape(fitted), multi_label=fitted.multi_label)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy; over each class by itself where a text can have several."""
        logits = logits_of(network, batch.inputs)
        if batch.targets.ndim == 2:
            return functional.binary_cross_entropy_with_logits(logits, batch.targets.to(logits))
        return class_loss(
            logits, batch.targets, self._weights(logits.device), self.section.label_smoothing
        )

    def evaluator(self, fitted: TextClassificationFitted) -> Evaluator:
        """Metrics of classes, and the worst mistakes with their texts."""
        return LabelledTexts(fitted.classes, fitted.multi_label, self._text_of(fitted))

    def predict(
        self, network: nn.Module, batch: Batch, fitted: TextClassificationFitted
    ) -> list[dict[str, Any]]:
        """The class, how sure the network is, and the likeliest five."""
        logits = logits_of(network, batch.inputs).float()
        if fitted.multi_label:
            rows = logits.sigmoid().tolist()
            return [_labels_record(row, fitted.classes) for row in rows]
        return [_class_record(row, fitted.classes) for row in logits.softmax(1).tolist()]

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: TextClassificationFitted
    ) -> list[dict[str, str]]:
        """Text, prediction and label."""
        text_of = self._text_of(fitted)
        return [
            {"text": text, "predicted": _joined(_predicted(record)), "label": _joined(label)}
            for text, record, label in zip(
                text_of(rows), records, _labels(rows, fitted), strict=True
            )
        ]

    def baseline(
        self, raw: RawData, fitted: TextClassificationFitted
    ) -> tuple[str, Evaluation] | None:
        """Logistic regression on weighted words and pairs of words."""
        table = raw.splits.get(TEST) or raw.splits.get(VALIDATION)
        if fitted.multi_label or table is None or not table.num_rows:
            return None
        columns = [fitted.text, fitted.text_pair]
        some = evenly(raw.train, ROWS)
        return "words and logistic regression", bag_of_words(
            (_texts(some, columns), _codes(some, fitted).tolist()),
            ((_texts(part, columns), _codes(part, fitted).tolist()) for part in in_windows(table)),
            fitted.classes,
        )

    def inputs(self, fitted: TextClassificationFitted) -> tuple[str, ...]:
        """The text, or both."""
        return tuple(filter(None, (fitted.text, fitted.text_pair)))

    def build_network(self, fitted: TextClassificationFitted) -> nn.Module:
        """As every network on text; notes what each class weighs in the loss."""
        balanced = self.section.class_weights == "balanced" and not fitted.multi_label
        self._class_weights = balanced_weights(fitted.counts) if balanced else None
        return super().build_network(fitted)

    def _weights(self, device: torch.device) -> torch.Tensor | None:
        if self._class_weights is None:
            return None
        return torch.tensor(self._class_weights, device=device)

    def _columns(self, table: pa.Table) -> tuple[str, str, str]:
        """Text, second text (or nothing) and label."""
        section = self.section
        pair = None if section.text or section.text_pair else columns.find_pair(table)
        if pair and section.label not in pair:
            text, second = pair
        else:
            without = [name for name in (section.label, section.text_pair) if name]
            text, second = section.text or columns.find_text(table, without), section.text_pair
        text = columns.chosen(table, text, "task.text")
        if second:
            columns.chosen(table, second, "task.text_pair")
        label = section.label or columns.find_label(table, [text, second])
        return text, second, columns.chosen(table, label, "task.label")

    def _text_of(self, fitted: TextClassificationFitted) -> Callable[[pa.Table], list[str]]:
        return lambda table: _texts(table, [fitted.text, fitted.text_pair])


class _Collate:
    """Samples as a batch; a picklable function with the number of the padding token."""

    def __init__(self, pad_token_id: int) -> None:
        self._pad = pad_token_id

    def __call__(self, samples: pa.Table) -> Batch:
        targets = None
        if "target" in samples.column_names:
            targets = torch.tensor(samples["target"].to_pylist())
        return Batch(token_inputs(samples, self._pad), targets, samples.num_rows)


def _texts(table: pa.Table, columns: Sequence[str]) -> list[str]:
    """The texts of each row; two are joined by a bar."""
    parts = [map(str, table[name].to_pylist()) for name in columns if name]
    return [" | ".join(texts) for texts in zip(*parts, strict=True)]


def _labels(table: pa.Table, fitted: TextClassificationFitted) -> list[Label]:
    if fitted.label not in table.column_names:
        return [None] * table.num_rows
    return labels_of(table, fitted.label)


def _codes(table: pa.Table, fitted: TextClassificationFitted) -> pa.Array:
    """The number of each row's class, or a 0 or 1 for each class."""
    labels = _labels(table, fitted)
    if fitted.multi_label:
        return pa.array(flags_of(labels, fitted.classes), pa.list_(pa.int64()))
    codes = {name: code for code, name in enumerate(fitted.classes)}
    return pa.array([codes[str(label)] for label in labels], pa.int64())


def _names(label: Label) -> list[str]:
    return [label] if isinstance(label, str) else label or []


def _joined(names: Label) -> str:
    return ", ".join(_names(names)) or "—"


def _faults(table: pa.Table, texts: Sequence[str], label: str) -> list[str | None]:
    faults = blank(table, [name for name in texts if name])
    if label not in table.column_names:
        return ["there is no label"] * table.num_rows
    return [
        fault or (f"{label} is empty" if value is None else None)
        for fault, value in zip(faults, labels_of(table, label), strict=True)
    ]


def _strangers(table: pa.Table, label: str, known: set[str]) -> list[str | None]:
    """A label that no training row has cannot be learned; among several it may just lack."""
    return [
        "its class is not in the training rows"
        if isinstance(name, str) and name not in known
        else None
        for name in labels_of(table, label)
    ]


def _class_record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    likeliest = sorted(range(len(row)), key=lambda index: -row[index])[:5]
    scores = {classes[index]: row[index] for index in likeliest}
    return {"label": classes[likeliest[0]], "score": row[likeliest[0]], "scores": scores}


def _labels_record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    scores = dict(sorted(zip(classes, row, strict=True), key=lambda item: -item[1]))
    labels = [name for name, score in scores.items() if score > 0.5]
    return {"labels": labels, "scores": dict(list(scores.items())[:5])}


def _predicted(record: dict[str, Any]) -> Label:
    label: Label = record["labels"] if "labels" in record else record["label"]
    return label
