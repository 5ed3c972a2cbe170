"""Retrieval metrics and BM25 have the values that other programs and plain sums give."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from engine.baselines.bm25 import Bm25
from engine.metrics.retrieval.ranking import ranks_of, relevance_of

NAMES = [f"p{number}" for number in range(30)]


def metrics(scores: np.ndarray, positives: list[tuple[str, str]], corpus: list[str]) -> dict:
    """Metrics where ``corpus`` has the columns of ``scores`` in order."""
    relevance = relevance_of([q for q, _ in positives], [p for _, p in positives], corpus)
    order = [corpus.index(name) for name in relevance.passages]
    rows = sorted({q for q, _ in positives}, key=[q for q, _ in positives].index)
    assert relevance.queries == rows
    return ranks_of(lambda some: scores[some][:, order], relevance).metrics()


def test_ndcg_is_that_of_scikit_learn_with_several_positives_and_ties() -> None:
    random = np.random.default_rng(0)
    # Few different scores, so that many are tied.
    scores = random.integers(0, 6, (12, 30)).astype(float)
    truth = (random.random((12, 30)) < 0.1) | np.eye(12, 30, dtype=bool)
    pairs = [(f"q{q}", NAMES[p]) for q, p in zip(*np.nonzero(truth), strict=True)]
    found = metrics(scores, pairs, NAMES)
    assert found["ndcg_at_10"] == pytest.approx(ndcg_score(truth, scores, k=10))


def test_tied_metrics_are_means_over_all_orders() -> None:
    scores = np.array([[2.0, 1.0, 1.0, 1.0, 0.0]])
    relevant = {1, 3}
    found = metrics(scores, [("q", "p1"), ("q", "p3")], NAMES[:5])
    orders = [(0, *middle, 4) for middle in permutations([1, 2, 3])]
    first = [min(order.index(r) for r in relevant) + 1 for order in orders]
    assert found["mrr_at_10"] == pytest.approx(np.mean([1 / rank for rank in first]))
    assert found["recall_at_1"] == 0
    assert found["recall_at_10"] == 1


def test_ranks_below_the_tenth_count_nothing() -> None:
    scores = -np.arange(30.0)[None]
    assert metrics(scores, [("q", "p10")], NAMES)["mrr_at_10"] == 0
    last = metrics(scores, [("q", "p9")], NAMES)
    assert (last["mrr_at_10"], last["recall_at_10"]) == (0.1, 1)
    assert last["ndcg_at_10"] == pytest.approx(1 / math.log2(11))


def test_equal_vectors_are_no_better_than_chance() -> None:
    pairs = [(f"q{number}", name) for number, name in enumerate(NAMES)]
    found = metrics(np.ones((30, 30)), pairs, NAMES)
    assert found["recall_at_1"] == pytest.approx(1 / 30)
    assert found["recall_at_10"] == pytest.approx(10 / 30)
    assert found["mrr_at_10"] == pytest.approx(sum(1 / rank for rank in range(1, 11)) / 30)


def test_a_passage_that_is_the_query_itself_is_not_ranked() -> None:
    relevance = relevance_of(["a", "b"], ["b", "c"])
    assert relevance.passages == ["b", "c"]
    scores = np.array([[0.2, 0.1], [1.0, 0.5]])  # b is nearest to b
    assert ranks_of(lambda some: scores[some], relevance).metrics()["recall_at_1"] == 1


def test_bm25_has_the_formula_of_lucene() -> None:
    passages = ["The cat sat", "a cat and a cat", "dogs"]
    score = Bm25(passages).scores(["cat", "CAT cat", "birds"])
    mean = (3 + 5 + 1) / 3
    weight = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    first = weight * 1 / (1 + 1.2 * (0.25 + 0.75 * 3 / mean))
    second = weight * 2 / (2 + 1.2 * (0.25 + 0.75 * 5 / mean))
    np.testing.assert_allclose(score[0], [first, second, 0])
    np.testing.assert_allclose(score[1], 2 * score[0])
    assert not score[2].any()
