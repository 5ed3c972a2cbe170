"""Predictions of classes and labels as people are shown them."""

from __future__ import annotations

from engine.reports.class_records import class_record, labels_record, said

CLASSES = ["a", "b", "c", "d", "e", "f", "g"]


def test_a_class_is_shown_with_its_probability() -> None:
    record = class_record([0.1, 0.62, 0.28], CLASSES[:3])
    assert (record["label"], record["score"]) == ("b", 0.62)
    assert said(record) == "b (62%)"


def test_each_label_that_was_found_is_shown_with_its_probability() -> None:
    record = labels_record([0.51, 0.2, 0.973], CLASSES[:3])
    assert record["labels"] == ["c", "a"]
    assert said(record) == "c (97%), a (51%)"
    assert said(labels_record([0.5, 0.2], CLASSES[:2])) == "—"


def test_all_labels_that_were_found_have_probabilities_and_five_at_least() -> None:
    assert len(labels_record([0.9] * 7, CLASSES)["scores"]) == 7
    assert len(labels_record([0.1] * 7, CLASSES)["scores"]) == 5
