"""Evaluation of vectors of texts whose similarity is known: the correlation with their cosine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.reports.views import Texts

Floats = NDArray[np.float64]
_WORST = 20


class SimilarityEvaluator(Evaluator):
    """One score a pair."""

    def __init__(
        self,
        vectors: Callable[[nn.Module, Batch], list[Tensor]],
        loss: Callable[[Sequence[Tensor], Batch], Tensor],
        texts: Callable[[Any], list[tuple[str, str]]],
    ) -> None:
        """``texts`` are the pairs of rows as they were read."""
        self._vectors, self._loss, self._texts = vectors, loss, texts
        self._cosines, self._scores, self._losses = Gathered(), Gathered(), Gathered()
        self._weights: list[float] = []
        self._rows: list[tuple[str, str]] = []

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with its rows."""
        vectors = self._vectors(network, batch)
        self._losses.add(self._loss(vectors, batch).reshape(1))
        self._weights.append(batch.weight)
        self._cosines.add(functional.cosine_similarity(vectors[0], vectors[1]))
        self._scores.add(batch.targets["scores"])
        self._rows += self._texts(batch.rows)

    def compute(self, views: bool = False) -> Evaluation:
        """The correlations; ``views`` asks for the worst mistakes too."""
        cosines, scores = _doubles(self._cosines), _doubles(self._scores)
        loss = float(np.average(_doubles(self._losses), weights=self._weights))
        shown = [self._worst(cosines, scores)] if views else []
        return Evaluation(correlations(cosines, scores) | {"loss": loss}, shown)

    def _worst(self, cosines: Floats, scores: Floats) -> Texts:
        order = np.argsort(-np.abs(cosines - scores), kind="stable")[:_WORST]
        return Texts("Worst mistakes", [
            {
                "first": self._rows[place][0],
                "second": self._rows[place][1],
                "cosine": f"{cosines[place]:.3f}",
                "wanted": f"{scores[place]:.3f}",
            }
            for place in order
        ])  # fmt: skip


def correlations(values: Floats, truth: Floats) -> dict[str, float]:
    """Return Spearman's and Pearson's correlation; NaN where all values are equal."""
    return {
        "spearman": _pearson(_ranked(values), _ranked(truth)),
        "pearson": _pearson(values, truth),
    }


def _pearson(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / norm if norm > 0 else float("nan")


def _ranked(values: Floats) -> Floats:
    """Return the rank of each value; equal values share the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(ranks[places], np.float64)


def _doubles(gathered: Gathered) -> Floats:
    return np.asarray(gathered.joined().to(torch.float64).numpy())
