"""Decision thresholds have the precision, recall or cost that they are chosen for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from engine.config.tasks.tabular_classification import TabularClassificationConfig
from engine.config.tasks.threshold import parse_rule
from engine.metrics.classes.threshold import Threshold, choose_threshold, threshold_table

SCORES = np.array([0.9, 0.8, 0.8, 0.6, 0.5, 0.4, 0.2, 0.0])
TRUTH = np.array([True, True, False, True, False, False, True, False])


def drawn(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    scores = random.beta(1, 2, rows).round(2)  # many are equal
    return scores, random.random(rows) < scores


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("precision 0.7", 0.55),  # 3 of 4 from 0.6 on; 2 of 3 from 0.8 on; 4 of 7 from 0.2 on
        ("precision 0.95", 0.85),
        ("recall 0.75", 0.55),
        ("recall 0.99", 0.1),
        ("f1", 0.55),  # 2 · 3 / (4 + 4)
        ("cost 10:1", 0.85),  # none wrong, three missed
        ("cost 1:10", 0.1),  # three wrong, none missed
        ("0.3", 0.3),
    ],
)
def test_a_threshold_lies_between_the_scores_that_its_rule_sets_apart(
    rule: str, expected: float
) -> None:
    value, reached = choose_threshold(SCORES, TRUTH, parse_rule(rule))
    assert value == pytest.approx(expected)
    assert reached


@pytest.mark.parametrize("fine", [0.3, 0.55, 0.8])
def test_the_recall_is_the_greatest_that_the_precision_allows(fine: float) -> None:
    scores, truth = drawn()
    value, reached = choose_threshold(scores, truth, parse_rule(f"precision {fine}"))
    precision, recall, _ = sk.precision_recall_curve(truth, scores)
    assert reached
    assert recall[precision >= fine].max() == sk.recall_score(truth, scores >= value)
    assert sk.precision_score(truth, scores >= value) >= fine


@pytest.mark.parametrize(("aim", "least"), [(a, x) for a in ("precision", "recall")
                                             for x in (0.3, 0.55, 0.7)])  # fmt: skip
@pytest.mark.parametrize("seed", range(8))
def test_no_other_threshold_has_more_of_one_and_as_much_of_the_other(
    aim: str, least: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    scores = random.random(30).round(1)
    truth = random.random(30) < 0.5  # the scores say nothing, so that precision rises and falls
    value, reached = choose_threshold(scores, truth, parse_rule(f"{aim} {least}"))

    def both(at: float) -> tuple[float, float]:
        found = scores >= at
        precision = float(sk.precision_score(truth, found, zero_division=0))
        recall = float(sk.recall_score(truth, found))
        return (precision, recall) if aim == "precision" else (recall, precision)

    fine = [own for own in map(both, np.unique(scores)) if own[0] >= least]
    assert reached == bool(fine)
    if fine:
        most = max(other for _, other in fine)
        assert both(value) == max(own for own in fine if own[1] == most)


def test_no_other_threshold_costs_less() -> None:
    scores, truth = drawn()

    def cost(value: float) -> float:
        (_, wrong), (missed, _) = sk.confusion_matrix(truth, scores >= value)
        return float(3 * wrong + missed)

    value, _ = choose_threshold(scores, truth, parse_rule("cost 3:1"))
    assert cost(value) == min(cost(at) for at in np.arange(0, 1.005, 0.005))


def test_a_precision_that_is_out_of_reach_takes_the_highest_and_says_so() -> None:
    truth = ~TRUTH  # the highest score is wrong
    value, reached = choose_threshold(SCORES, truth, parse_rule("precision 0.9"))
    assert not reached
    scores = SCORES
    best = max(sk.precision_score(truth, scores >= at) for at in scores)
    assert sk.precision_score(truth, scores >= value) == best
    chances = np.stack([1 - SCORES, SCORES], 1)
    shown = Threshold(1, value, parse_rule("precision 0.9"), reached)
    title = threshold_table(chances, truth.astype(np.int64), ["no", "yes"], shown).title
    assert title.endswith(
        "for a precision of 0.9, which no threshold reaches on the validation rows"
    )


def test_rows_are_decided_alike_in_numpy_and_torch_for_either_class() -> None:
    chances = np.array([[0.2, 0.8], [0.7, 0.3], [0.69, 0.31]])
    for positive, expected in ((0, [1, 0, 1]), (1, [1, 0, 0])):
        threshold = Threshold(positive, 0.7, parse_rule("0.7"))
        assert threshold.decisions(chances).tolist() == expected
        assert threshold.decisions(torch.from_numpy(chances)).tolist() == expected


def test_the_table_counts_errors_and_their_cost() -> None:
    chances = np.stack([1 - SCORES, SCORES], 1)
    threshold = Threshold(1, 0.55, parse_rule("cost 5:2"))
    table = threshold_table(chances, TRUTH.astype(np.int64), ["no", "yes"], threshold)
    assert table.columns[:3] == ["threshold", "cost 5:2", "precision"]
    assert [[row[1], *row[4:]] for row in table.rows] == [[7, 1, 1], [12, 2, 1]]
    assert table.rows[0][2] == "0.75 (0.30–0.95)"  # Wilson's interval of 3 of 4


def test_shares_of_many_rows_have_more_digits() -> None:
    chances, truth = np.tile(np.stack([1 - SCORES, SCORES], 1), (10_000, 1)), np.tile(TRUTH, 10_000)
    threshold = Threshold(1, 0.55, parse_rule("0.55"))
    row = threshold_table(chances, truth.astype(np.int64), ["no", "yes"], threshold).rows[0]
    assert str(row[1]).startswith("0.7500 (0.74")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("2", "2 must be above 0 and below 1"),
        ("precision", "'' is not a number; give 0.3, or f1, precision 0.9"),
        ("cost 5", "'' is not a number"),
        ("cost 5:0", "both costs must be above 0"),
        ("best", "'best' is not a number"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_in_words(rule: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TabularClassificationConfig(threshold=rule)
