"""Intervals of metrics and the paired difference to a baseline, against other ways to get them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from engine.metrics.classification import evaluate_classes
from engine.metrics.intervals import (
    area_interval,
    block_sums,
    bootstrap,
    class_intervals,
    mean_interval,
    share_interval,
)
from engine.metrics.paired import PairedRows, PairedVerdict, judge_rows
from engine.metrics.regression import evaluate_numbers, number_intervals
from tui.format.run_facts import metrics_table
from tui.screens.results import metric_lines


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
    sums = block_sums([np.ones(50_001), values], np.random.default_rng(0))
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
