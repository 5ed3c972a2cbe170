"""Ranks of relevant passages among all, and the metrics of information retrieval.

Where passages have equal scores, each metric is its mean over all orders of them: a network that
gives every text the same vector is not better than chance (McSherry and Najork 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.metrics.uncertainty.intervals import Interval, mean_interval
from engine.metrics.uncertainty.paired import PairedRows, text_keys

Floats = NDArray[np.floating]
Numbers = NDArray[np.int64]
Score = Callable[[slice], Floats]
"""Scores of some queries for all passages, ``[queries, passages]``."""
DEPTH = 10
"""The last rank that counts."""
_CELLS = 1 << 22
"""Scores that are in memory at a time."""


@dataclass(frozen=True)
class Relevance:
    """Different queries and passages, and which passages are relevant to which query."""

    queries: list[str]
    passages: list[str]
    pairs: Numbers
    """``[pairs, 2]``: a query and a passage that is relevant to it, sorted by query."""
    itself: Numbers
    """``[pairs, 2]``: a query and a passage of the same text, which is not ranked."""


def relevance_of(
    anchors: Sequence[str], positives: Sequence[str], others: Sequence[str] = ()
) -> Relevance:
    """Return each anchor's positives as relevant to it; ``others`` are relevant to none."""
    queries = _numbered(anchors)
    passages = _numbered([*positives, *others])
    pairs = sorted({(queries[a], passages[p]) for a, p in zip(anchors, positives, strict=True)})
    known = set(pairs)
    itself = [
        (number, passages[text])
        for text, number in queries.items()
        if text in passages and (number, passages[text]) not in known
    ]
    return Relevance(list(queries), list(passages), _table(pairs), _table(itself))


def _numbered(texts: Sequence[str]) -> dict[str, int]:
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}


def _table(pairs: Sequence[tuple[int, int]]) -> Numbers:
    return np.array(pairs, np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Ranks:
    """For each pair of :class:`Relevance`, the passages before and beside the relevant one."""

    relevance: Relevance
    above: Numbers
    """``[pairs]``: passages with a higher score."""
    tied: Numbers
    """``[pairs]``: passages with the same score, with itself."""
    first: Numbers
    """``[queries]``: the passage with the highest score."""

    def metrics(self) -> dict[str, float]:
        """Return nDCG@10, MRR@10, recall@1 and recall@10: means over the queries."""
        return {name: float(values.mean()) for name, values in self.by_query().items()}

    def by_query(self) -> dict[str, Floats]:
        """Return the metrics of each query."""
        query = self.relevance.pairs[:, 0]
        relevant = np.bincount(query)
        gains = [_gain(*rank) for rank in self._ranks()]
        return {
            "ndcg_at_10": np.bincount(query, gains) / _ideal(relevant),
            "mrr_at_10": np.array(list(self._reciprocals())),
            "recall_at_1": self._recall(query, relevant, 1),
            "recall_at_10": self._recall(query, relevant, DEPTH),
        }

    def intervals(self) -> dict[str, Interval]:
        """Return intervals of the metrics over queries."""
        found: dict[str, Interval] = {}
        for name, values in self.by_query().items():
            found |= mean_interval(name, values)
        return found

    def paired(self) -> PairedRows:
        """Return what each query lacks of the best nDCG@10, to be held against a baseline."""
        lost = 1 - self.by_query()["ndcg_at_10"].astype(np.float64)
        keys = text_keys(self.relevance.queries)
        return PairedRows("lost", np.bincount(self.relevance.pairs[:, 0]), lost, "nDCG@10", keys)

    def _ranks(self) -> Iterator[tuple[int, int]]:
        return zip(self.above.tolist(), self.tied.tolist(), strict=True)

    def _recall(self, query: Numbers, relevant: Numbers, depth: int) -> Floats:
        found = np.clip(depth - self.above, 0, self.tied) / self.tied
        return np.bincount(query, found) / relevant

    def _reciprocals(self) -> Iterator[float]:
        """Yield 1 / rank of each query's first relevant passage; 0 below the last that counts."""
        starts = np.flatnonzero(np.diff(self.relevance.pairs[:, 0], prepend=-1))
        for above, tied in zip(
            np.split(self.above, starts[1:]), np.split(self.tied, starts[1:]), strict=True
        ):
            best = int(above.argmin())
            yield _reciprocal(int(above[best]), int(tied[best]), int((above == above[best]).sum()))


def ranks_of(score: Score, relevance: Relevance) -> Ranks:
    """Return the ranks by ``score``, which is asked for a few queries at a time."""
    step = max(1, _CELLS // max(1, len(relevance.passages)))
    parts = [
        _part(score, relevance, slice(begin, begin + step))
        for begin in range(0, len(relevance.queries), step)
    ]
    above, tied, first = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Ranks(relevance, above, tied, first)


def _part(score: Score, relevance: Relevance, some: slice) -> tuple[Numbers, Numbers, Numbers]:
    scores = np.array(score(some), np.float64)
    last = some.start + len(scores)
    for query, passage in _within(relevance.itself, some.start, last):
        scores[query - some.start, passage] = -np.inf
    pairs = _within(relevance.pairs, some.start, last)
    rows, own = pairs[:, 0] - some.start, pairs[:, 1]
    counts = [
        ((scores[row] > scores[row, passage]).sum(), (scores[row] == scores[row, passage]).sum())
        for row, passage in zip(rows.tolist(), own.tolist(), strict=True)
    ]
    above, tied = np.array(counts, np.int64).reshape(-1, 2).T
    return above, tied, scores.argmax(1)


def _within(pairs: Numbers, begin: int, end: int) -> Numbers:
    return pairs[(pairs[:, 0] >= begin) & (pairs[:, 0] < end)]


_DISCOUNT = 1 / np.log2(np.arange(2, DEPTH + 2))


def _gain(above: int, tied: int) -> float:
    """Return the mean gain of a passage over the ranks that it shares."""
    return float(_DISCOUNT[above : min(above + tied, DEPTH)].sum() / tied)


def _ideal(relevant: Numbers) -> Floats:
    best: Floats = np.cumsum(_DISCOUNT)[np.minimum(relevant, DEPTH) - 1]
    return best


def _reciprocal(above: int, tied: int, relevant: int) -> float:
    """Return the mean of 1 / rank of the first of ``relevant`` passages among ``tied`` ones."""
    orders = math.comb(tied, relevant)
    last = min(tied - relevant + 1, DEPTH - above)
    return sum(
        math.comb(tied - place, relevant - 1) / orders / (above + place)
        for place in range(1, last + 1)
    )
