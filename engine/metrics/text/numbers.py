"""Metrics of numbers that are predicted for texts, and the texts with the largest errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.retrieval.similarity import correlations
from engine.metrics.tables.regression import evaluate_numbers, number_intervals, predicted_and_true
from engine.metrics.uncertainty.paired import PairedRows, ScoredRows, text_keys
from engine.processes.later import Later
from engine.reports.views import Texts

sk = Later("sklearn.metrics")

_WORST = 20
_DEPTH = 10
Pairs = list[tuple[str, str]]
"""Text and second text of rows; the second is empty where there is none."""


@dataclass(frozen=True, slots=True)
class WrongNumber:
    """A text, or a pair of them, with the number that was predicted for it."""

    texts: tuple[str, str]
    """The second one is empty where there is none."""
    true: float
    predicted: float

    @property
    def text(self) -> str:
        """The text, or both of a pair."""
        return " | ".join(filter(None, self.texts))

    def record(self) -> dict[str, str]:
        """Return the text and its numbers in words, by caption."""
        true, predicted = f"{self.true:.5g}", f"{self.predicted:.5g}"
        return {"text": self.text, "true": true, "predicted": predicted}


class TextNumbers(Evaluator):
    """One number a text, or a pair of texts."""

    def __init__(
        self,
        forward: Callable[[nn.Module, Batch], Tensor],
        loss: Callable[[Tensor, Tensor], Tensor],
        said: Callable[[Tensor], Tensor],
        texts: Callable[[Any], Pairs],
    ) -> None:
        """``said`` turns the network's outputs into numbers in the units of the data."""
        self._forward, self._loss, self._said, self._texts = forward, loss, said, texts
        self._outputs, self._targets = Gathered(), Gathered()
        self._rows: Pairs = []
        self.worst: list[WrongNumber] = []
        """The texts with the largest errors, once views were computed."""

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with its rows."""
        self._outputs.add(self._forward(network, batch).float())
        self._targets.add(batch.targets)
        self._rows += self._texts(batch.rows)

    @property
    def total(self) -> int:
        """Number of texts so far."""
        return len(self._rows)

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics of numbers, their order, and the ranking of the texts of each query."""
        outputs, targets = self._outputs.joined(), self._targets.joined()
        predicted = self._said(outputs).double().numpy()
        truth = targets.double().numpy()
        loss = float(self._loss(outputs, targets))
        result = evaluate_numbers(predicted, truth, loss)
        metrics, rows = result.metrics, keyed_pairs(result.rows, self._rows)
        finite = bool(np.isfinite(predicted).all())
        metrics["spearman"] = correlations(predicted, truth)["spearman"] if finite else math.nan
        metrics |= _ranking(self._rows, predicted, truth) if finite else {}
        if not views:
            return Evaluation(metrics, rows=rows)
        self.worst = self._worst(predicted, truth)
        worst = Texts("Worst mistakes", [one.record() for one in self.worst])
        shown = [worst, predicted_and_true(predicted, truth)]
        intervals = number_intervals(predicted, truth)
        return Evaluation(metrics, shown, intervals=intervals, rows=rows)

    def _worst(self, predicted: Any, truth: Any) -> list[WrongNumber]:
        order = np.argsort(-np.abs(predicted - truth), kind="stable")[:_WORST]
        return [
            WrongNumber(self._rows[row], float(truth[row]), float(predicted[row])) for row in order
        ]


def keyed_pairs(
    rows: PairedRows | ScoredRows[Any] | None, pairs: Pairs
) -> PairedRows | ScoredRows[Any] | None:
    """Return losses of rows that are known by their texts."""
    return rows and replace(rows, keys=text_keys(["\0".join(pair) for pair in pairs]))


def _ranking(pairs: Pairs, predicted: Any, truth: Any) -> dict[str, float]:
    """Return nDCG@10 over the queries that have several texts, if most rows are of such queries.

    Rows without a second text are of no query; queries without a relevant text are left out.
    """
    rows: dict[str, list[int]] = {}
    for row, (query, text) in enumerate(pairs):
        if text:
            rows.setdefault(query, []).append(row)
    several = [some for some in rows.values() if len(some) > 1]
    if 2 * sum(map(len, several)) <= len(truth) or truth.min() < 0:
        return {}
    several = [some for some in several if truth[some].any()]
    values = [sk.ndcg_score([truth[some]], [predicted[some]], k=_DEPTH) for some in several]
    return {"ndcg_at_10": float(np.mean(values))} if values else {}
