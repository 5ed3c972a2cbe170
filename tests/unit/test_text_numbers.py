"""Numbers that are predicted for texts: their metrics, and the rankings that follow from them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.stats import spearmanr
from sklearn import metrics as sk
from torch import nn

from engine.batches.source import Batch
from engine.metrics.text.numbers import Pairs, TextNumbers, WrongNumber
from engine.metrics.uncertainty.paired import PairedRows, text_keys
from engine.reports.views import Texts

NETWORK = nn.Identity()


def evaluator(mean: float = 0.0, std: float = 1.0) -> TextNumbers:
    """An evaluator whose network's outputs are the inputs of the batch."""
    return TextNumbers(
        lambda _, batch: batch.inputs,
        nn.functional.mse_loss,
        lambda outputs: outputs * std + mean,
        lambda rows: list(zip(rows["text"].to_pylist(), rows["second"].to_pylist(), strict=True)),
    )


def metrics_of(
    pairs: Pairs, predicted: list[float], truth: list[float], batch_size: int = 4
) -> dict[str, float]:
    found = evaluator()
    table = pa.table({"text": [one for one, _ in pairs], "second": [two for _, two in pairs]})
    for begin in range(0, len(pairs), batch_size):
        some = slice(begin, begin + batch_size)
        rows = table.slice(begin, batch_size)
        batch = Batch(torch.tensor(predicted[some]), torch.tensor(truth[some]), rows=rows)
        found.update(NETWORK, batch)
    return found.compute().metrics


def test_metrics_are_those_of_scikit_learn_and_scipy() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=50).round(1)
    predicted = (truth + random.normal(size=50)).round(1)
    pairs = [(f"text {i}", "") for i in range(50)]
    metrics = metrics_of(pairs, predicted.tolist(), truth.tolist())
    assert metrics["r2"] == pytest.approx(sk.r2_score(truth, predicted), abs=1e-5)
    assert metrics["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, predicted), abs=1e-5)
    assert metrics["mae"] == pytest.approx(sk.mean_absolute_error(truth, predicted), abs=1e-5)
    assert metrics["loss"] == pytest.approx(sk.mean_squared_error(truth, predicted), abs=1e-5)
    # Rounded values are often equal: ties share the mean of their ranks.
    assert metrics["spearman"] == pytest.approx(spearmanr(truth, predicted).statistic, abs=1e-9)
    assert "ndcg_at_10" not in metrics


def test_the_ranking_of_the_texts_of_each_query_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    queries = [f"query {i % 5}" for i in range(60)]
    truth = random.integers(0, 4, 60).astype(float)
    predicted = random.normal(size=60)
    pairs = [(query, f"passage {i}") for i, query in enumerate(queries)]
    each = []
    for number in range(5):
        own = np.arange(60) % 5 == number
        each.append(sk.ndcg_score([truth[own]], [predicted[own]], k=10))
    metrics = metrics_of(pairs, predicted.tolist(), truth.tolist(), batch_size=7)
    assert metrics["ndcg_at_10"] == pytest.approx(np.mean(each), abs=1e-6)


def test_rows_without_a_second_text_do_not_shift_the_ranking_of_the_others() -> None:
    # The first row has no passage, though its text is a query; both queries are ranked rightly.
    pairs = [("a", ""), ("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")]
    metrics = metrics_of(pairs, [9.0, 0.8, 0.1, 0.7, 0.2], [0.0, 1.0, 0.0, 1.0, 0.0])
    assert metrics["ndcg_at_10"] == pytest.approx(1.0)


def test_queries_without_a_relevant_text_are_left_out_of_the_ranking() -> None:
    pairs = [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")]
    metrics = metrics_of(pairs, [0.9, 0.1, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0])
    assert metrics["ndcg_at_10"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("queries", "truth"),
    [
        (["a", "a", "b", "c"], [1.0, 0.0, 1.0, 0.0]),  # half of the rows are alone
        (["a", "a", "b", "b"], [1.0, -1.0, 1.0, 0.0]),  # numbers below zero are no gains
        (["a", "a", "b", "b"], [0.0, 0.0, 0.0, 0.0]),  # nothing is relevant
    ],
)
def test_there_is_no_ranking_where_none_is_meant(queries: list[str], truth: list[float]) -> None:
    pairs = [(query, str(i)) for i, query in enumerate(queries)]
    assert "ndcg_at_10" not in metrics_of(pairs, [0.4, 0.3, 0.2, 0.1], truth)


def test_the_largest_errors_are_named_first_in_units_of_the_data() -> None:
    found = evaluator(mean=100.0, std=10.0)
    rows = pa.table({"text": ["near", "far", "exact"], "second": ["x", "", "y"]})
    batch = Batch(torch.tensor([0.1, -3.0, 1.0]), torch.tensor([100.0, 100.0, 110.0]), rows=rows)
    found.update(NETWORK, batch)
    evaluation = found.compute(views=True)
    assert found.total == 3
    assert [one.text for one in found.worst] == ["far", "near | x", "exact | y"]
    worst = evaluation.views[0]
    assert isinstance(worst, Texts)
    assert worst.items[0] == {"text": "far", "true": "100", "predicted": "70"}
    assert evaluation.metrics["mae"] == pytest.approx((1 + 30 + 0) / 3, rel=1e-6)
    assert evaluation.intervals["mae"][0] <= evaluation.metrics["mae"]
    assert evaluation.intervals["mae"][1] >= evaluation.metrics["mae"]


def test_losses_of_rows_are_known_by_both_texts_of_a_pair() -> None:
    found = evaluator()
    rows = pa.table({"text": ["a", "ab"], "second": ["bc", "c"]})
    found.update(NETWORK, Batch(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 5.0]), rows=rows))
    paired = found.compute().rows
    assert isinstance(paired, PairedRows)
    assert paired.losses.tolist() == [1.0, 9.0]
    assert paired.keys is not None
    assert len(set(paired.keys.tolist())) == 2  # "a" + "bc" is not "ab" + "c"
    assert paired.keys.tolist() == text_keys(["a\0bc", "ab\0c"]).tolist()


def test_a_wrong_number_is_written_with_five_digits() -> None:
    wrong = WrongNumber(("one", "two"), 1 / 3, 123456.789)
    assert wrong.record() == {"text": "one | two", "true": "0.33333", "predicted": "1.2346e+05"}
