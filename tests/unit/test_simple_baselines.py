"""Baselines that a network is held against, against scikit-learn and counting by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from engine.baselines.bag_of_words import bag_of_words, labels_from_words, numbers_from_words
from engine.baselines.bm25 import Bm25
from engine.baselines.gradient_boosting import boosted_classes, boosted_numbers, log_loss
from engine.baselines.usual_boxes import in_image, usual_boxes
from engine.baselines.usual_tags import usual_tags
from engine.batches.source import TensorSource
from engine.data.tables.schema import CategoricalFeature, Features, NumericFeature
from engine.metrics.text.language import frequency_metrics, language_metrics
from engine.metrics.text.squad import answer_f1, exact_match, normalized
from engine.metrics.uncertainty.verdict import judge

GOOD = ["a good film", "good play", "so good", "a very good story", "good good"] * 6
NUMBER = NumericFeature(column="n", part="value", mean=0, std=1)
BAD = ["a bad film", "bad play", "so bad", "a very bad story", "bad bad"] * 6


def test_words_tell_classes_apart_and_classes_that_are_not_there_have_no_chance() -> None:
    texts, codes = [*GOOD, *BAD], [0] * 30 + [2] * 30
    parts = [(["good"], [0]), (["bad story", "the good one"], [2, 0])]
    result = bag_of_words((texts, codes), parts, ["good", "unseen", "bad"])
    assert result.metrics["accuracy"] == 1.0
    assert result.metrics["loss"] < 0.3
    assert result.rows is not None
    assert result.rows.keys is not None
    assert len(result.rows.keys) == 3


def test_several_labels_of_texts_are_told_by_a_regression_each() -> None:
    texts = [*GOOD, *BAD]
    flags = [[1, 0, 1, 0]] * 30 + [[0, 1, 1, 0]] * 30  # a label of all, and one of none
    new = (["so good", "so bad"], [[1, 0, 1, 0], [0, 1, 1, 0]])
    result = labels_from_words((texts, flags), new, list("gbal"))
    assert result.metrics["accuracy"] == 1.0
    chances = 1 - result.metrics["loss"]
    assert 0.5 < chances < 1


def test_numbers_of_texts_follow_their_words() -> None:
    found = numbers_from_words([*GOOD, *BAD], [5.0] * 30 + [1.0] * 30, ["good", "bad", "other"])
    assert found[0] > 4 > 2 > found[1]
    assert found[2] == pytest.approx(3, abs=0.5)


def source(numeric: Any, categorical: Any, targets: Any) -> TensorSource:
    inputs = {"numeric": torch.tensor(numeric, dtype=torch.float32),
              "categorical": torch.tensor(categorical, dtype=torch.int64)}  # fmt: skip
    return TensorSource(inputs, torch.tensor(targets))


def test_boosting_predicts_classes_with_shares_that_sum_to_one() -> None:
    random = np.random.default_rng(0)
    numeric = random.normal(size=(300, 1))
    codes = random.integers(0, 3, (300, 1))
    classes = np.where(codes[:, 0] == 2, 3, (numeric[:, 0] > 0).astype(int))
    features = Features(
        columns=[],
        numeric=[NUMBER],
        categorical=[CategoricalFeature(column="c", categories=["x", "y"])],
    )
    train = source(numeric[:200], codes[:200], classes[:200])
    found = boosted_classes(train, source(numeric[200:], codes[200:], classes[200:]), features, 4)
    chances, truth = found.predicted, found.truth
    assert chances.shape == (100, 4)
    assert truth.tolist() == classes[200:].tolist()
    assert chances.sum(1) == pytest.approx(np.ones(100), abs=1e-5)
    assert (chances[:, 2] == 0).all()  # no training row has it
    assert sk.accuracy_score(truth, chances.argmax(1)) > 0.9
    present = chances[:, [0, 1, 3]] / chances.sum(1, keepdims=True)
    expected = sk.log_loss(truth, present, labels=[0, 1, 3])
    assert log_loss(chances, truth) == pytest.approx(expected, abs=1e-6)


def test_boosting_predicts_numbers() -> None:
    numeric = np.random.default_rng(0).uniform(-2, 2, (400, 1))
    values = np.square(numeric[:, 0]).astype(np.float32)
    empty = np.zeros((400, 0))
    features = Features(columns=[], numeric=[NUMBER], categorical=[])
    found = boosted_numbers(
        source(numeric[:300], empty[:300], values[:300]),
        source(numeric[300:], empty[300:], values[300:]),
        features,
    )
    said, true = found.predicted, found.truth
    assert true == pytest.approx(values[300:])
    assert sk.r2_score(true, said) > 0.95


def test_a_probability_of_zero_has_a_finite_loss() -> None:
    assert math.isfinite(log_loss(np.array([[0.0, 1.0]], np.float32), np.array([0])))


def test_a_word_has_its_most_frequent_tag_as_written_or_in_small_letters() -> None:
    train = ([["Rome", "is", "old"], ["rome", "is", "Rome"], ["Will", "will"]],
             [["B", "O", "O"], ["O", "O", "B"], ["B", "O"]])  # fmt: skip
    sentences = [["Rome", "ROME", "IS", "new"], []]
    assert usual_tags(train, sentences, "O") == [["B", "B", "O", "O"], []]


def test_scores_of_bm25_are_sums_over_the_words_of_the_query() -> None:
    passages = ["red fox", "the fox and the fox", "a dog", ""]
    scores = Bm25(passages).scores(["fox", "fox fox dog", "unknown", ""])
    assert scores.shape == (4, 4)
    lengths = np.array([2, 5, 2, 0])
    norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
    fox = np.log(1 + (4 - 2 + 0.5) / 2.5) * np.array([1, 2, 0, 0]) / (np.array([1, 2, 0, 0]) + norm)
    dog = np.log(1 + (4 - 1 + 0.5) / 1.5) * np.array([0, 0, 1, 0]) / (np.array([0, 0, 1, 0]) + norm)
    assert scores[0] == pytest.approx(fox)
    assert scores[1] == pytest.approx(2 * fox + dog)
    assert not scores[2:].any()


def test_usual_boxes_are_shared_among_the_classes_by_their_number() -> None:
    boxes = np.array([[0.1, 0.1, 0.3, 0.3]] * 6 + [[0.6, 0.6, 0.8, 0.8]] * 3 + [[0, 0, 1, 1]])
    found = usual_boxes(boxes, np.array([0] * 9 + [5]))
    assert found.scores.tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert found.classes.tolist() == [0, 0, 5]
    assert found.boxes == pytest.approx(boxes[[0, 6, 9]], abs=1e-6)
    assert in_image(found, 200, 50).boxes[0] == pytest.approx([20, 5, 60, 15])


def test_language_metrics_are_means_over_tokens_and_characters() -> None:
    metrics = language_metrics(nats=20.0, tokens=10.0, characters=40.0)
    assert metrics == {
        "loss": 2.0, "perplexity": pytest.approx(math.e**2), "nats_per_character": 0.5,
    }  # fmt: skip
    nothing = language_metrics(0.0, 0.0, 0.0)
    assert math.isnan(nothing["loss"])
    assert math.isfinite(language_metrics(1e6, 1.0, 1.0)["perplexity"])


def test_frequent_tokens_are_foretold_with_one_more_for_each() -> None:
    seen, new = np.array([0, 0, 0, 1], np.int32), np.array([0, 1, 2], np.int32)
    metrics = frequency_metrics(seen, new, vocabulary=4, characters=6)
    chances = np.array([4, 2, 1, 1]) / 8
    assert metrics["loss"] == pytest.approx(-np.log(chances[new]).mean())
    assert metrics["accuracy"] == pytest.approx(1 / 3)
    assert metrics["nats_per_character"] == pytest.approx(-np.log(chances[new]).sum() / 6)


@pytest.mark.parametrize(
    ("said", "references", "exact", "f1"),
    [
        ("The Cat!", ["cat"], 1, 1),
        ("a black cat", ["the cat", "dog"], 0, 2 / 3),
        ("cat cat", ["cat"], 0, 2 / 3),  # words count as often as they occur
        ("", [""], 1, 1),
        ("", ["cat"], 0, 0),
        ("cat", [], 0, 0),
        ("the", [""], 1, 1),  # an article alone is no answer
        ("another theme", ["another theme"], 1, 1),  # no articles within words
        ("1,000", ["1000"], 1, 1),
        ("cat", ["", "cat"], 1, 1),  # an answer goes before none
        ("", ["", "cat"], 0, 0),
    ],
)  # fmt: skip
def test_answers_are_compared_as_squad_does(
    said: str, references: list[str], exact: float, f1: float
) -> None:
    assert exact_match(said, references) == exact
    assert answer_f1(said, references) == pytest.approx(f1)
    assert normalized(normalized(said)) == normalized(said)


def test_the_verdict_on_mean_errors_is_their_ratio_with_an_interval_around_it() -> None:
    random = np.random.default_rng(0)
    theirs = random.gamma(4, 1, 400)
    ours = 0.8 * theirs + 0.2 * random.gamma(4, 0.5, 400)
    verdict = judge("naive", ours, theirs, block=5)
    assert verdict is not None
    assert verdict.difference == pytest.approx(ours.mean() / theirs.mean() - 1)
    assert verdict.low < verdict.difference < verdict.high < 0
    assert verdict.outcome == "better"
    turned = judge("naive", theirs, ours, block=5)
    assert turned is not None
    assert (turned.outcome, turned.difference) == (
        "worse", pytest.approx(1 / (1 + verdict.difference) - 1)
    )  # fmt: skip


def test_windows_without_an_error_are_left_out_in_pairs_and_few_have_no_verdict() -> None:
    ours, theirs = np.array([1.0, np.nan, 3.0, 1.0]), np.array([2.0, 2.0, np.nan, 2.0])
    verdict = judge("naive", ours, theirs)
    assert verdict is not None
    assert verdict.difference == -0.5
    assert judge("naive", ours[:3], theirs) is None
    assert judge("naive", ours[1:3], theirs[1:3]) is None
    assert judge("naive", np.ones(9), np.full(9, np.nan)) is None
