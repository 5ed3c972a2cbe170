"""Wrong predictions of classifiers, with the probability of what was predicted."""

from __future__ import annotations

import numpy as np
import pytest

from engine.metrics.mistakes import find_mistakes

NAMES = ["a", "b", "c"]


def test_a_mistake_has_the_probability_of_the_predicted_class() -> None:
    chances = np.array([[0.1, 0.5, 0.4], [0.2, 0.1, 0.7], [0.05, 0.35, 0.6]], np.float32)
    found, total = find_mistakes(chances, np.array([0, 2, 0]), NAMES, 5)
    assert total == 2
    assert [(one.row, one.label, one.predicted) for one in found] == [(2, "a", "c"), (0, "a", "b")]
    assert [one.probability for one in found] == pytest.approx([0.6, 0.5])
    assert [one.text for one in found] == ["60%", "50%"]


def test_of_several_labels_the_one_that_is_most_wrong_is_named() -> None:
    chances = np.array([[0.9, 0.03, 0.1], [0.9, 0.8, 0.1], [0.2, 0.3, 0.1]], np.float32)
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]])
    found, total = find_mistakes(chances, targets, NAMES, 1)
    assert total == 2
    (one,) = found
    assert (one.label, one.predicted, one.judged) == ("a, b", "a", "b")
    assert one.text == "b 3%"


def test_nothing_is_found_where_all_is_right() -> None:
    assert find_mistakes(np.eye(3, dtype=np.float32), np.arange(3), NAMES, 5) == ([], 0)
