"""Metrics of tagged sentences: entities found, words right, loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.logits import logits_of
from engine.metrics.text.entities import Score, entity_scores
from engine.metrics.uncertainty.drawn_scores import Formula, SummedScore, ratio, summed_intervals
from engine.metrics.uncertainty.intervals import Floats
from engine.metrics.uncertainty.paired import ScoredRows, text_keys
from engine.reports.views import Cell, Table, Texts, View
from engine.text.tagging.scheme import OUTSIDE, Entity, TagScheme, scheme_of
from engine.text.tokens.words import NOT_COUNTED, marked

_SHOWN = 20

_FORMULAS: Mapping[str, Formula] = {
    "f1": lambda means: 2 * means[:, 0] / (means[:, 1] + means[:, 2]),
    "precision": ratio(0, 1),
    "recall": ratio(0, 2),
    "accuracy": ratio(3, 4),
}
"""By the columns of :func:`_counts`."""

Sentences = Callable[[pa.Table], tuple[list[list[str]], list[list[str]]]]
"""Words and tags of some rows."""


class TaggingEvaluator(Evaluator):
    """Keeps the likeliest tag of every token until the end."""

    def __init__(self, names: Sequence[str], sentences: Sentences) -> None:
        self._names = list(names)
        self._sentences = sentences
        self._scheme = scheme_of(names)
        self._losses = Gathered()
        self._codes = Gathered()
        self._beginnings = Gathered()
        self._windows: list[list[int]] = []
        self._rows: list[pa.Table] = []

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with its rows."""
        logits = logits_of(network, batch.inputs).float()
        targets = batch.targets["tags"]
        losses = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_COUNTED, reduction="none"
        )
        counted = (targets != NOT_COUNTED).sum(1)
        self._losses.add(torch.stack([losses.view_as(targets).sum(1), counted], 1))
        self._codes.add(logits.argmax(2).int())
        self._beginnings.add(batch.targets["words"].int())
        self._windows.append(list(batch.targets["row"]))
        self._rows.append(batch.rows)

    def compute(self, views: bool = False) -> Evaluation:
        """All words count, also those that no token stands for, which are tagged with nothing."""
        words, truth = self._sentences(pa.concat_tables(self._rows))
        predicted = [
            tags
            for codes, words_of, row_of, rows in zip(
                self._codes.tensors(),
                self._beginnings.tensors(),
                self._windows,
                self._rows,
                strict=True,
            )
            for tags in tags_of(
                codes,
                {"words": words_of, "row": row_of},
                self._names,
                self._lengths(rows),
                self._scheme.outside,
            )
        ]
        losses = self._losses.joined().double().numpy()
        loss = float(losses[:, 0].sum()) / max(1.0, float(losses[:, 1].sum()))
        result = evaluate_tags(words, truth, predicted, self._scheme, views)
        result.metrics["loss"] = loss
        if not views:
            return result
        own = summed_intervals(losses, {"loss": ratio(0, 1)})
        return replace(result, intervals={**result.intervals, **own})

    def _lengths(self, rows: pa.Table) -> list[int]:
        return [len(words) for words in self._sentences(rows)[0]]


def evaluate_tags(
    words: list[list[str]],
    truth: list[list[str]],
    predicted: list[list[str]],
    scheme: TagScheme,
    views: bool = False,
) -> Evaluation:
    """Return the metrics of the tags of some sentences; with ``views`` their intervals too."""
    there = [scheme.entities(tags) for tags in truth]
    said = [scheme.entities(tags) for tags in predicted]
    overall, by_type = entity_scores(there, said)
    counts = _counts(there, said, truth, predicted)
    metrics = {
        "f1": overall.f1,
        "precision": overall.precision,
        "recall": overall.recall,
        "accuracy": float(counts[:, 3].sum() / max(1.0, counts[:, 4].sum())),
    }
    rows = ScoredRows(
        "entity F1", counts[:, [2, 4]], SummedScore(counts, _FORMULAS["f1"]),
        text_keys(["\0".join(sentence) for sentence in words]),
    )  # fmt: skip
    if not views:
        return Evaluation(metrics, rows=rows)
    intervals = summed_intervals(counts, _FORMULAS)
    return Evaluation(metrics, _views(words, there, said, by_type), intervals=intervals, rows=rows)


def _counts(
    there: list[list[Entity]],
    said: list[list[Entity]],
    truth: list[list[str]],
    predicted: list[list[str]],
) -> Floats:
    """Return for each sentence ``[sentences, 5]``: entities right, predicted and true, words right
    and all words."""
    rows = [
        (len(set(wanted) & set(given)), len(given), len(wanted),
         sum(map(str.__eq__, tags, own)), len(tags))
        for wanted, given, tags, own in zip(there, said, truth, predicted, strict=True)
    ]  # fmt: skip
    return np.array(rows, np.float64).reshape(-1, 5)


def tags_of(
    codes: Tensor,
    targets: Mapping[str, Any],
    names: Sequence[str],
    lengths: Sequence[int],
    outside: str = OUTSIDE,
) -> list[list[str]]:
    """Return the tag of every word of some sentences, with ``lengths`` in words.

    ``codes`` are ``[windows, tokens]``; ``targets`` has the ``words`` that begin there, and the
    ``row`` of each window. Words without a token of their own have the tag ``outside``.
    """
    result = [[outside] * length for length in lengths]
    windows = zip(codes.tolist(), targets["words"].tolist(), targets["row"], strict=True)
    for window, words, row in windows:
        for code, word in zip(window, words, strict=True):
            if word >= 0:
                result[row][word] = names[code]
    return result


def _views(
    words: list[list[str]],
    there: list[list[Entity]],
    said: list[list[Entity]],
    by_type: dict[str, Score],
) -> list[View]:
    rows: list[list[Cell]] = [
        [kind, *(round(part, 4) for part in (score.precision, score.recall, score.f1)),
         score.support]
        for kind, score in by_type.items()
    ]  # fmt: skip
    mistakes = [len(set(wanted) ^ set(given)) for wanted, given in zip(there, said, strict=True)]
    worst = sorted(range(len(mistakes)), key=lambda index: -mistakes[index])[:_SHOWN]
    right = [index for index, count in enumerate(mistakes) if not count and there[index]][:_SHOWN]

    def texts(title: str, numbers: Sequence[int]) -> Texts:
        items = [
            {"predicted": marked(words[i], said[i]), "label": marked(words[i], there[i])}
            for i in numbers
        ]
        return Texts(title, items)

    return [
        Table("Entities", ["type", "precision", "recall", "f1", "entities"], rows),
        texts("Worst mistakes", [index for index in worst if mistakes[index]]),
        texts("Sentences all right", right),
    ]
