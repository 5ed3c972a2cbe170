"""Intervals of metrics and the paired difference to a baseline, against other ways to get them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sk

from engine.metrics.classes.classification import evaluate_classes
from engine.metrics.classes.multilabel import evaluate_labels, label_intervals
from engine.metrics.retrieval.ranking import Ranks, ranks_of, relevance_of
from engine.metrics.tables.regression import evaluate_numbers, number_intervals
from engine.metrics.uncertainty.intervals import (
    area_interval,
    bootstrap,
    class_intervals,
    mean_interval,
    resamples,
    share_interval,
)
from engine.metrics.uncertainty.paired import PairedRows, PairedVerdict, judge_rows, text_keys
from tui.format.run_facts import metrics_table
from tui.screens.results.metrics import metric_lines


@pytest.mark.parametrize(("right", "rows"), [(0, 20), (20, 20), (13, 40), (866, 1000)])
def test_a_share_has_the_interval_of_wilson(right: int, rows: int) -> None:
    wanted = stats.binomtest(right, rows).proportion_ci(method="wilson")
    assert share_interval(right / rows, rows) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_intervals_of_classes_are_those_of_resampled_rows() -> None:
    random = np.random.default_rng(0)
    true = random.choice(3, 250, p=[0.6, 0.3, 0.1])
    said = np.where(random.random(250) < 0.7, true, random.choice(3, 250))
    draws = []
    for _ in range(600):
        rows = random.integers(250, size=250)
        draws.append(sk.precision_recall_fscore_support(
            true[rows], said[rows], average="macro", zero_division=0)[:3])  # fmt: skip
    found = class_intervals(true, said, 3)
    for name, values in zip(("precision", "recall", "f1"), np.transpose(draws), strict=True):
        assert found[name] == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=0.02)


@pytest.mark.parametrize("rows", [1500, 30_000])
def test_the_interval_of_a_mean_is_that_of_the_normal_distribution(rows: int) -> None:
    values = np.random.default_rng(1).gamma(2.0, size=rows)
    half = 1.96 * values.std() / np.sqrt(rows)
    low, high = mean_interval("mean", values)["mean"]
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=half / 10)
    assert (high - low) / 2 == pytest.approx(half, rel=0.06)


def test_blocks_have_all_rows_once_and_mix_sorted_ones() -> None:
    values = np.sort(np.random.default_rng(2).random(50_001))
    block = resamples(50_001).block
    sums = np.stack([np.bincount(block), np.bincount(block, values)], 1)
    assert sums.sum(0) == pytest.approx([50_001, values.sum()])
    assert (sums[:, 1] / sums[:, 0]).std() == pytest.approx(values.std() / 5, rel=0.1)  # √25 rows


def test_the_interval_of_the_area_is_that_of_delong() -> None:
    random = np.random.default_rng(3)
    true = (random.random(120) < 0.3).astype(np.int64)
    score = np.round(true + random.normal(0, 1.2, 120), 1).astype(np.float32)  # with ties
    chances = np.stack([-score, score], axis=1)
    area = sk.roc_auc_score(true, score)
    wins = np.array([[(a > b) + (a == b) / 2 for b in score[true == 0]] for a in score[true == 1]])
    variance = wins.mean(1).var(ddof=1) / len(wins) + wins.mean(0).var(ddof=1) / wins.shape[1]
    half = 1.96 * np.sqrt(variance) / (area * (1 - area))
    logit = np.log(area / (1 - area))
    wanted = (1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit)))
    assert area_interval(chances, true, area) == pytest.approx(wanted, abs=0.003)
    assert area_interval(chances, true, 1.0) is None


def test_intervals_of_numbers_are_those_of_resampled_rows() -> None:
    random = np.random.default_rng(4)
    true = random.normal(50, 10, 300)
    said = true + random.normal(0, 4, 300)
    draws = []
    for _ in range(800):
        rows = random.integers(300, size=300)
        metrics = evaluate_numbers(said[rows], true[rows], 0.0).metrics
        draws.append([metrics[name] for name in ("r2", "rmse", "mae", "mse")])
    found = number_intervals(said, true)
    for name, values in zip(("r2", "rmse", "mae", "mse"), np.transpose(draws), strict=True):
        low, high = np.quantile(values, [0.025, 0.975])
        assert found[name] == pytest.approx((low, high), abs=(high - low) / 8)


def test_targets_that_are_all_alike_have_no_share_of_their_variance() -> None:
    true = np.full(60, 0.1)
    said = true + np.linspace(-1, 1, 60)
    assert np.isnan(evaluate_numbers(said, true, 0.0).metrics["r2"])
    assert set(number_intervals(said, true)) == {"rmse", "mae", "mse"}
    true[0] = 1.1  # a third of the draws has no other value than 0.1
    low, high = number_intervals(said, true)["r2"]
    variance = 0.982 * 0.018  # of a draw with a single such row, 60 of which have 1 on average
    assert -2 / variance < low < high < 1


def paired(ours: list[int], theirs: list[int]) -> PairedVerdict | None:
    truth = np.arange(len(ours)) % 2
    rows = (PairedRows("wrong", truth, np.array(part, np.float64)) for part in (ours, theirs))
    return judge_rows("gradient boosting", *rows)


def test_rows_that_one_alone_has_right_decide() -> None:
    verdict = paired([0] * 970 + [1] * 30, [1] * 50 + [0] * 900 + [1] * 50)
    assert verdict is not None
    # 50 + 20 rows won, none lost. Agresti and Min: (70.5 - 0.5) / 1002 ± 1.96 · …
    half = 1.96 * np.sqrt(71 - 70**2 / 1002) / 1002
    assert (verdict.low, verdict.high) == pytest.approx((70 / 1002 - half, 70 / 1002 + half), 1e-4)
    assert verdict.difference == pytest.approx(0.07)
    assert verdict.text == (
        "Better than gradient boosting by 7.0 ± 1.6 points of accuracy (95 % interval)."
    )


def test_a_lopsided_interval_is_told_by_its_ends() -> None:
    verdict = PairedVerdict("boosting", "root mean squared error", -0.502, -1.749, -0.091)
    assert verdict.text == (
        "Not better: use boosting, which is better by 50.2 % of root mean squared error "
        "(95 % interval 9.1 to 174.9)."
    )
    ahead = PairedVerdict("boosting", "root mean squared error", 0.176, -0.068, 0.345)
    assert ahead.text == (
        "Not shown to be better than boosting: ahead by 17.6 % of root mean squared error "
        "(95 % interval -6.8 to 34.5), which may be chance."
    )


def test_a_network_that_is_behind_is_told_to_give_way() -> None:
    verdict = paired([1] * 50 + [0] * 950, [0] * 1000)
    assert verdict is not None
    assert verdict.outcome == "worse"
    assert verdict.text.startswith("Not better: use gradient boosting, which is better by 5.0")
    same = paired([0, 1] * 500, [1, 0] * 500)
    assert same is not None
    assert same.outcome == "open"
    assert same.text.startswith("Not shown to be better than gradient boosting: ahead by 0.0 ±")


def test_the_interval_covers_the_true_difference_in_95_of_100() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        ours, theirs = random.random(300) < 0.10, random.random(300) < 0.14
        verdict = paired(ours.astype(int).tolist(), theirs.astype(int).tolist())
        assert verdict is not None
        covered += verdict.low < 0.04 < verdict.high
    assert 0.92 < covered / 400 < 0.98


def test_squared_errors_are_compared_by_their_root() -> None:
    random = np.random.default_rng(6)
    truth = random.normal(0, 1, 4000)
    ours, theirs = (truth + random.normal(0, scale, 4000) for scale in (0.9, 1.0))
    rows = [evaluate_numbers(part, truth, 0.0).rows for part in (ours, theirs)]
    assert rows[0] is not None
    assert rows[1] is not None
    verdict = judge_rows("boosting", rows[0], rows[1])
    assert verdict is not None
    assert verdict.difference == pytest.approx(0.1, abs=0.03)
    # The ratio's logarithm has the deviation 1 / √n for independent normal errors.
    assert verdict.high - verdict.low == pytest.approx(2 * 1.96 * 0.9 / np.sqrt(4000), rel=0.15)


def test_other_rows_or_another_order_are_not_compared() -> None:
    truth = np.arange(40) % 2
    losses = np.zeros(40)
    ours = PairedRows("wrong", truth, losses)
    assert judge_rows("b", ours, PairedRows("wrong", truth[::-1], losses)) is None
    assert judge_rows("b", ours, PairedRows("wrong", truth[:20], losses[:20])) is None
    assert judge_rows("b", ours, PairedRows("squared", truth, losses)) is None


def test_rows_that_are_known_by_their_texts_are_compared_in_any_order() -> None:
    texts = [f"text {i % 45}" for i in range(50)]  # some occur twice, with other classes
    truth = (np.arange(50) >= 45).astype(np.int64)
    ours, theirs = (np.arange(50) < 20).astype(float), (np.arange(50) >= 15).astype(float)
    order = np.random.default_rng(0).permutation(50)
    shuffled = PairedRows(
        "wrong", truth[order], theirs[order], keys=text_keys([texts[i] for i in order])
    )
    verdict = judge_rows("b", PairedRows("wrong", truth, ours, keys=text_keys(texts)), shuffled)
    assert verdict == judge_rows(
        "b", PairedRows("wrong", truth, ours), PairedRows("wrong", truth, theirs)
    )
    other = PairedRows("wrong", truth, ours, keys=text_keys([f"other {i}" for i in range(50)]))
    assert judge_rows("b", other, shuffled) is None


def test_intervals_of_labels_are_those_of_resampled_samples() -> None:
    random = np.random.default_rng(8)
    true = (random.random((250, 4)) < [0.1, 0.3, 0.5, 0.02]).astype(np.int64)
    chances = (0.3 * true + 0.6 * random.random((250, 4))).astype(np.float32)
    said = (chances > 0.5).astype(np.int64)
    draws = []
    for _ in range(300):
        rows = random.integers(250, size=250)
        right, there = (said * true)[rows].sum(0), true[rows].sum(0)
        found, present = said[rows].sum(0), there > 0
        parts = [2 * right / (found + there), right / found, right / there]
        means = [np.nan_to_num(part)[present].mean() for part in parts]
        draws.append([*means, 2 * right.sum() / (found.sum() + there.sum())])
    intervals = label_intervals(chances, true)
    names = ("f1", "precision", "recall", "f1_micro")
    for name, values in zip(names, np.transpose(draws), strict=True):
        low, high = np.quantile(values, [0.025, 0.975])
        # A class of five samples is missing from a draw now and then, and left out of its mean.
        assert intervals[name] == pytest.approx((low, high), abs=max(0.02, (high - low) / 5)), name
    exact = evaluate_labels(chances, true, "abcd", 0.0).metrics["accuracy"]
    assert intervals["accuracy"] == share_interval(exact, 250)


def test_rankings_are_compared_query_by_query() -> None:
    queries = [f"query {i}" for i in range(60)]
    passages = [f"passage {i}" for i in range(60)]
    rank = np.arange(60) % 3  # 20 queries each have their passage first, second and third

    def ranks(order: list[int], exact: bool) -> Ranks:
        def score(some: slice) -> NDArray[np.float64]:
            rows = np.arange(60)[some]
            scores = np.zeros((len(rows), 60))
            scores[np.arange(len(rows)), rows] = 1
            for i, row in enumerate(rows):
                for place in range(0 if exact else int(rank[order[row]])):
                    scores[i, (row + 1 + place) % 60] = 2
            return scores

        chosen = [queries[i] for i in order], [passages[i] for i in order]
        return ranks_of(score, relevance_of(*chosen))

    straight = list(range(60))
    ours, theirs = ranks(straight[::-1], True), ranks(straight, False)
    verdict = judge_rows("BM25", ours.paired(), theirs.paired())
    assert verdict is not None
    lost = np.repeat([0, 1 - 1 / np.log2(3), 0.5], 20)
    assert verdict.difference == pytest.approx(lost.mean())
    half = 1.96 * lost.std() / np.sqrt(60)
    assert (verdict.high - verdict.low) / 2 == pytest.approx(half, rel=0.1)
    assert "points of nDCG@10" in verdict.text
    low, high = theirs.intervals()["ndcg_at_10"]
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_one_row_has_no_interval_of_a_mean() -> None:
    assert bootstrap([np.ones(1)], {"mean": lambda means: means[:, 0]}) == {}
    chances = np.array([[0.1, 0.9]] * 30, np.float32)
    assert evaluate_classes(chances, np.ones(30, np.int64), ["a", "b"], 0.0).rows is not None


@pytest.mark.parametrize("width", [76, 120])
def test_results_show_the_interval_beside_the_split_or_below(width: int) -> None:
    report = {
        "metrics": {"validation": {"accuracy": 0.91}, "test": {"accuracy": 0.9}},
        "intervals": {"test": {"accuracy": [0.871, 0.924]}},
        "baseline": {"name": "gradient boosting", "metrics": {"accuracy": 0.88}},
    }
    lines = [line.plain for line in metric_lines(report, width)]
    assert any("0.8710–0.9240" in line for line in lines)
    assert max(map(len, lines)) <= width
    assert ("95 % interval" in lines[0]) == (width == 120)
    headings, rows = metrics_table(report)
    assert headings == ["metric", "validation", "test", "95 % interval", "gradient boosting"]
    assert rows == [["accuracy", "0.9100", "0.9000", "0.8710–0.9240", "0.8800"]]
