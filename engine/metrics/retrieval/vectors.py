"""Evaluation of vectors of texts: held-out passages ranked for each query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.retrieval.ranking import Floats, Ranks, Relevance, ranks_of, relevance_of
from engine.reports.views import Table, Texts, View

_WORST = 20


@dataclass(frozen=True, slots=True)
class TextsOfRows:
    """The texts of some rows by their roles."""

    anchors: list[str]
    positives: list[str]
    negatives: list[str]
    """Those of all columns, one column after the other."""


Vectors = Callable[[nn.Module, Batch], list[Tensor]]
"""The vectors of the anchors, the positives, and each column of negatives."""


class RetrievalEvaluator(Evaluator):
    """Ranks all different passages of a split for each different anchor, by cosine."""

    def __init__(
        self,
        vectors: Vectors,
        loss: Callable[[Sequence[Tensor], Batch], Tensor],
        texts: Callable[[Any], TextsOfRows],
        sizes: Sequence[int],
    ) -> None:
        """``texts`` are those of rows as they were read; ``sizes`` those of Matryoshka."""
        self._vectors, self._loss, self._texts, self._sizes = vectors, loss, texts, sizes
        self._anchors, self._losses = Gathered(), Gathered()
        self._columns: list[Gathered] = []
        self._weights: list[float] = []
        self._rows: list[TextsOfRows] = []

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch with its rows."""
        anchors, *passages = self._vectors(network, batch)
        self._losses.add(self._loss([anchors, *passages], batch).reshape(1))
        self._weights.append(batch.weight)
        self._anchors.add(anchors)
        self._columns = self._columns or [Gathered() for _ in passages]
        for gathered, column in zip(self._columns, passages, strict=True):
            gathered.add(column)
        self._rows.append(self._texts(batch.rows))

    def compute(self, views: bool = False) -> Evaluation:
        """The metrics, for vectors of full size; ``views`` asks for the other sizes too."""
        relevance, queries, passages = self._different()
        ranks = ranks_of(cosines(queries, passages), relevance)
        loss = float(np.average(self._losses.joined().double(), weights=self._weights))
        shown: list[View] = []
        if views:
            shown = [*_worst(ranks)]
            if self._sizes:
                shown.append(_by_size(queries, passages, relevance, self._sizes))
        intervals = ranks.intervals() if views else {}
        metrics = ranks.metrics() | {"loss": loss}
        return Evaluation(metrics, shown, intervals=intervals, rows=ranks.paired())

    def _different(self) -> tuple[Relevance, Tensor, Tensor]:
        """Return each text once, with its vector."""
        anchors = [text for rows in self._rows for text in rows.anchors]
        positives = [text for rows in self._rows for text in rows.positives]
        columns = len(self._columns) - 1
        negatives = [
            text
            for column in range(columns)
            for rows in self._rows
            for text in _column(rows.negatives, column, columns)
        ]
        relevance = relevance_of(anchors, positives, negatives)
        vectors = torch.cat([column.joined() for column in self._columns])
        passages = vectors[_places([*positives, *negatives])]
        return relevance, self._anchors.joined()[_places(anchors)], passages


def _column(texts: list[str], column: int, columns: int) -> list[str]:
    rows = len(texts) // columns
    return texts[column * rows : (column + 1) * rows]


def _places(texts: Sequence[str]) -> list[int]:
    """Return where each different text stands first."""
    places: dict[str, int] = {}
    for place, text in enumerate(texts):
        places.setdefault(text, place)
    return list(places.values())


def cosines(queries: Tensor, passages: Tensor) -> Callable[[slice], Floats]:
    """Return the scores of some queries, in the way that :func:`ranks_of` asks for them."""
    left, right = functional.normalize(queries.float()), functional.normalize(passages.float())
    return lambda some: (left[some] @ right.T).numpy()


def _by_size(
    queries: Tensor, passages: Tensor, relevance: Relevance, sizes: Sequence[int]
) -> Table:
    """Return the metrics of vectors that are cut to each size."""
    found = [
        ranks_of(cosines(queries[:, :size], passages[:, :size]), relevance).metrics()
        for size in sizes
    ]
    rows = [
        [size, *(round(value, 4) for value in metrics.values())]
        for size, metrics in zip(sizes, found, strict=True)
    ]
    return Table("Vectors cut to fewer numbers", ["size", *found[0]], rows)


def _worst(ranks: Ranks) -> list[Texts]:
    """Return the relevant passages that are ranked last, each with what is ranked first.

    There is nothing to return where each is ranked first.
    """
    relevance = ranks.relevance
    order = [place for place in np.argsort(-ranks.above, kind="stable") if ranks.above[place]]
    items = []
    for place in order[:_WORST]:
        query, passage = relevance.pairs[place].tolist()
        items.append({
            "query": relevance.queries[query],
            "passage": relevance.passages[passage],
            "rank": f"{ranks.above[place] + 1:,} of {len(relevance.passages):,}",
            "ranked first": relevance.passages[int(ranks.first[query])],
        })  # fmt: skip
    return [Texts("Passages ranked last", items)] if items else []
