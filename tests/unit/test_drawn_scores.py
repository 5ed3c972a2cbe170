"""Intervals and verdicts of scores that are not means over rows, against plain resampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sacrebleu.metrics import BLEU

from engine.baselines.likeliest_sentence import likeliest_sentences
from engine.baselines.nearest_source import targets_of_nearest
from engine.baselines.usual_boxes import in_image, usual_boxes
from engine.baselines.usual_tags import usual_tags
from engine.config.tasks.preference import PreferenceConfig
from engine.metrics.evaluator import Evaluation
from engine.metrics.images.detection import Found, JudgedImage, evaluate_objects
from engine.metrics.images.drawn_precision import precision_draws
from engine.metrics.images.segmentation import evaluate_pixels
from engine.metrics.text.answers import Asked, evaluate_answers
from engine.metrics.text.entities import entity_scores
from engine.metrics.text.preference import (
    evaluate_untuned,
    judged_answers,
    preference_intervals,
    preference_metrics,
)
from engine.metrics.text.preference_losses import Likelihoods, rewards
from engine.metrics.text.tagging import evaluate_tags
from engine.metrics.text.translation import Written, evaluate_texts
from engine.metrics.uncertainty.intervals import Interval, resamples
from engine.metrics.uncertainty.paired import PairedVerdict, ScoredRows, judge_rows
from engine.text.tagging.scheme import TagScheme

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
SCHEME = TagScheme()
DRAWS = 150


def plain(score: Callable[[Rows], float], rows: int) -> Interval:
    """The middle 95 % of a score over rows that are drawn with replacement."""
    random = np.random.default_rng(1)
    values = [score(random.integers(rows, size=rows)) for _ in range(DRAWS)]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def alike(found: Interval, wanted: Interval, share: float = 0.3) -> bool:
    return found == pytest.approx(wanted, abs=share * (wanted[1] - wanted[0]))


def judged(ours: Evaluation, theirs: Evaluation) -> PairedVerdict:
    assert ours.rows is not None
    assert theirs.rows is not None
    verdict = judge_rows("the baseline", ours.rows, theirs.rows)
    assert verdict is not None
    return verdict


def tagged(rows: int, right: float) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    """Words, true tags, and tags of which a share is ``right``."""
    random = np.random.default_rng(3)
    words, truth, said = [], [], []
    for row in range(rows):
        tags = random.choice(["O", "B-a", "B-b"], 5, p=[0.6, 0.3, 0.1]).tolist()
        truth.append(tags)
        said.append([tag if random.random() < right else "O" for tag in tags])
        words.append([f"{row}-{place}" for place in range(5)])
    return words, truth, said


def test_entity_f1_has_the_interval_of_resampled_sentences() -> None:
    words, truth, said = tagged(200, 0.7)
    result = evaluate_tags(words, truth, said, SCHEME, views=True)
    there, found = ([SCHEME.entities(tags) for tags in part] for part in (truth, said))

    def score(rows: Rows) -> float:
        return entity_scores([there[i] for i in rows], [found[i] for i in rows])[0].f1

    assert alike(result.intervals["f1"], plain(score, 200))
    assert set(result.intervals) == {"f1", "precision", "recall", "accuracy"}


def test_tags_are_compared_in_pairs_whatever_the_order_of_the_sentences() -> None:
    words, truth, said = tagged(200, 0.8)
    ours = evaluate_tags(words, truth, said, SCHEME)
    order = np.random.default_rng(0).permutation(200)
    worse = [["O", *tags[1:]] for tags in said]
    mixed = [[part[i] for i in order] for part in (words, truth, worse)]
    theirs = evaluate_tags(*mixed, SCHEME)
    verdict = judged(ours, theirs)
    assert verdict.difference == pytest.approx(ours.metrics["f1"] - theirs.metrics["f1"])
    assert verdict.outcome == "better"
    assert verdict.text.startswith("Better than the baseline by")
    assert "points of entity F1 (95 % interval)" in verdict.text
    # The same sentences have part of the chance in common: pairs tell more than both intervals.
    alone = evaluate_tags(words, truth, said, SCHEME, views=True).intervals["f1"]
    assert verdict.high - verdict.low < alone[1] - alone[0]


def test_a_score_and_a_mean_are_not_compared() -> None:
    words, truth, said = tagged(20, 0.8)
    ours = evaluate_tags(words, truth, said, SCHEME).rows
    asked = [Asked(f"q{row}", "c", ["a"]) for row in range(20)]
    theirs = evaluate_answers(asked, ["a"] * 20).rows
    assert ours is not None
    assert theirs is not None
    assert judge_rows("b", ours, theirs) is None


def test_mean_iou_has_the_interval_of_resampled_images() -> None:
    random = np.random.default_rng(2)
    masks = random.choice(3, (80, 64), p=[0.7, 0.28, 0.02])
    said = np.where(random.random((80, 64)) < 0.8, masks, 0)
    counts = np.zeros((80, 3, 3), np.int64)
    for row in range(80):
        np.add.at(counts[row], (masks[row], said[row]), 1)
    result = evaluate_pixels(counts, ["x", "y", "z"], 0.0, views=True)
    for name in ("miou", "dice", "pixel_accuracy"):
        wanted = plain(lambda rows: evaluate_pixels(counts[rows], "xyz", 0.0).metrics[name], 80)  # noqa: B023
        assert alike(result.intervals[name], wanted), name
    usual = np.zeros_like(counts)
    usual[:, :, 0] = counts.sum(2)
    verdict = judged(result, evaluate_pixels(usual, "xyz", 0.0))
    assert verdict.outcome == "better"
    assert "points of mean IoU" in verdict.text


def objects(random: np.random.Generator, count: int) -> Found:
    corners = random.random((count, 2)) * 80
    boxes = np.concatenate([corners, corners + 5 + random.random((count, 2)) * 20], 1)
    return Found(boxes, random.integers(0, 3, count), np.ones(count))


def image(random: np.random.Generator, row: int) -> JudgedImage:
    truth, wrong = objects(random, int(random.integers(0, 6))), objects(random, 20)
    seen = random.random(len(truth.boxes)) < 0.8
    boxes = truth.boxes[seen] + random.normal(0, 1, (seen.sum(), 4))
    found = Found(
        np.concatenate([boxes, wrong.boxes]), np.concatenate([truth.classes[seen], wrong.classes]),
        np.concatenate([0.3 + 0.7 * random.random(seen.sum()), 0.8 * random.random(20)]),
    )  # fmt: skip
    return JudgedImage(str(row), found, truth)


def images_of(count: int) -> list[JudgedImage]:
    random = np.random.default_rng(0)
    return [image(random, row) for row in range(count)]


def test_metrics_of_images_drawn_again_are_those_of_pycocotools() -> None:
    images = images_of(40)
    rows = evaluate_objects(images, "abc").rows
    assert isinstance(rows, ScoredRows)
    drawn = resamples(40, 3)
    found = precision_draws(rows.score.classes, drawn)
    for draw, times in enumerate(drawn.counts.astype(int)):
        again = [one for one, count in zip(images, times, strict=True) for _ in range(count)]
        metrics = evaluate_objects(again, "abc").metrics
        assert {name: values[draw] for name, values in found.items()} == pytest.approx(metrics)


def test_detections_have_intervals_and_a_verdict_beside_the_usual_boxes() -> None:
    images = images_of(40)
    result = evaluate_objects(images, "abc", views=True)
    for name in ("map", "map50", "map75", "recall"):
        low, high = result.intervals[name]
        assert low < high
    assert result.intervals["map50"][0] < result.metrics["map50"] < result.intervals["map50"][1]
    boxes = np.concatenate([one.truth.boxes for one in images]) / 100
    usual = usual_boxes(boxes, np.concatenate([one.truth.classes for one in images]))
    theirs = evaluate_objects(
        [JudgedImage(one.name, in_image(usual, 100, 100), one.truth) for one in images], "abc"
    )
    verdict = judged(result, theirs)
    assert verdict.difference == pytest.approx(result.metrics["map"] - theirs.metrics["map"])
    assert "points of mAP" in verdict.text


def test_bleu_has_the_interval_of_resampled_texts() -> None:
    random = np.random.default_rng(4)
    references = [" ".join(random.choice(list("abcdefgh"), 12)) for _ in range(120)]
    generated = [
        " ".join(word if random.random() < 0.8 else "x" for word in text.split())
        for text in references
    ]
    texts = [
        Written(str(i), *pair) for i, pair in enumerate(zip(generated, references, strict=True))
    ]
    result = evaluate_texts(texts, views=True)

    def score(rows: Rows) -> float:
        some = [[part[i] for i in rows] for part in (generated, references)]
        return float(BLEU(force=True).corpus_score(some[0], [some[1]]).score)

    assert alike(result.intervals["bleu"], plain(score, 120))
    low, high = result.intervals["chrf"]
    assert low < result.metrics["chrf"] < high
    exact = [Written(text.source, text.reference, text.reference) for text in texts]
    verdict = judged(evaluate_texts(exact), result)
    assert verdict.difference == pytest.approx(1 - result.metrics["bleu"] / 100)


def test_answers_have_intervals_of_their_questions() -> None:
    asked = [Asked(f"question {row}", "a context", ["yes"]) for row in range(100)]
    said = ["yes"] * 70 + ["no"] * 30
    ours, theirs = evaluate_answers(asked, said), evaluate_answers(asked[::-1], ["no"] * 100)
    verdict = judged(ours, theirs)
    assert verdict.difference == pytest.approx(0.7)
    half = 1.96 * np.sqrt(0.7 * 0.3 / 100)
    assert (verdict.high - verdict.low) / 2 == pytest.approx(half, rel=0.1)


def preferences(rows: int) -> Likelihoods:
    random = torch.Generator().manual_seed(0)
    answers, reference = (-20 + torch.randn(rows, 2, generator=random) for _ in range(2))
    tokens = torch.full((rows, 2), 10)
    good = torch.arange(rows) % 2 == 0
    answers[good, 0] += 1.5  # what is good (KTO) or chosen has become likelier
    return Likelihoods(answers, reference, tokens, -answers[:, 0], tokens[:, 0], good)


@pytest.mark.parametrize("loss", ["dpo", "kto", "orpo", "simpo"])
def test_preferences_have_the_intervals_of_resampled_rows(loss: Any) -> None:
    section, given = PreferenceConfig(loss=loss), preferences(120)
    found, metrics = preference_intervals(given, section), preference_metrics(given, section)
    assert set(found) == set(metrics)
    for name in ("loss", "accuracy", "margin", "rejected_logp"):
        wanted = plain(
            lambda rows: preference_metrics(given.of(torch.from_numpy(rows)), section)[name],  # noqa: B023
            120,
        )
        assert alike(found[name], wanted, 0.3), name


@pytest.mark.parametrize("loss", ["dpo", "kto"])
def test_preferences_are_compared_with_the_untuned_model_row_by_row(loss: Any) -> None:
    section, given = PreferenceConfig(loss=loss), preferences(120)
    before = Likelihoods(
        given.reference, given.reference, given.tokens, given.text, given.text_tokens,
        given.desirable,
    )  # fmt: skip
    theirs = evaluate_untuned(before.of(torch.arange(119, -1, -1)), section)
    rows = judged_answers(given, section, rewards(given, section))
    verdict = judged(Evaluation({}, rows=rows), theirs)
    accuracy = preference_metrics(given, section)["accuracy"]
    assert verdict.difference == pytest.approx(accuracy - theirs.metrics["accuracy"])


def test_a_word_has_the_tag_that_it_has_the_most_often() -> None:
    known = [["Rome", "is", "Rome"], ["rome"]], [["B-a", "O", "B-a"], ["O"]]
    assert usual_tags(known, [["Rome", "ROME", "was"]], "O") == [["B-a", "B-a", "O"]]


def test_the_likeliest_sentence_has_the_rare_words_of_the_question() -> None:
    context = "The dog is in the house. The cat sleeps in the house. It rains."
    questions = ["What sleeps in the house?", "Where is the dog?"]
    assert likeliest_sentences((question, context) for question in questions) == [
        "The cat sleeps in the house.", "The dog is in the house.",
    ]  # fmt: skip
    assert likeliest_sentences([("Why?", "")]) == [""]


def test_the_target_of_the_nearest_source_is_taken() -> None:
    sources, targets = ["a red car", "a blue bird"], ["une voiture rouge", "un oiseau bleu"]
    assert targets_of_nearest(sources, targets, ["two birds", "the car"]) == targets[::-1]


def test_usual_boxes_are_the_middles_of_clusters_with_their_share() -> None:
    boxes: Sequence[Sequence[float]] = [[0.1, 0.1, 0.2, 0.2]] * 3 + [[0.5, 0.5, 0.9, 0.9]]
    found = usual_boxes(np.array(boxes), np.array([0, 0, 0, 1]))
    assert found.boxes.tolist() == pytest.approx(np.array([boxes[0], boxes[3]]))
    assert (found.classes.tolist(), found.scores.tolist()) == ([0, 1], [0.75, 0.25])
