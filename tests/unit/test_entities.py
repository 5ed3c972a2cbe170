"""Entities equal those of seqeval, and so do their scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from engine.metrics.entities import entities_of, entity_scores, has_prefixes

TAGS = ["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("person", "work-of-art"))]
sentences = st.lists(st.sampled_from(TAGS), max_size=12)


@given(sentences)
def test_entities_are_those_of_seqeval(tags: list[str]) -> None:
    expected = [(kind, first, last + 1) for kind, first, last in get_entities(tags)]
    assert entities_of(tags) == expected


@given(st.lists(st.tuples(sentences, st.randoms()), min_size=1, max_size=10))
def test_scores_are_those_of_seqeval(pairs: list[tuple[list[str], object]]) -> None:
    truth = [tags for tags, _ in pairs]
    said = [
        [tag if random.random() < 0.7 else random.choice(TAGS) for tag in tags]  # type: ignore[attr-defined]
        for tags, random in pairs
    ]
    score, _ = entity_scores([entities_of(t) for t in truth], [entities_of(s) for s in said])
    expected = (
        precision_score(truth, said, zero_division=0),
        recall_score(truth, said, zero_division=0),
        f1_score(truth, said, zero_division=0),
    )
    assert (score.precision, score.recall, score.f1) == pytest.approx(expected)


def test_an_entity_with_one_wrong_border_is_not_found() -> None:
    truth = entities_of(["B-person", "I-person", "O"])
    score, _ = entity_scores([truth], [entities_of(["B-person", "O", "O"])])
    assert score.f1 == 0


def test_types_are_scored_by_themselves() -> None:
    truth, said = ["B-person", "B-place"], ["B-person", "B-person"]
    _, by_type = entity_scores([entities_of(truth)], [entities_of(said)])
    assert (by_type["person"].precision, by_type["person"].recall) == (0.5, 1.0)
    assert (by_type["place"].recall, by_type["place"].support) == (0.0, 1)


def test_parts_of_speech_have_no_prefixes_and_neighbours_make_one() -> None:
    tags = ["DET", "NOUN", "NOUN", "VERB"]
    assert not has_prefixes(tags)
    assert entities_of(tags, prefixes=False) == [("DET", 0, 1), ("NOUN", 1, 3), ("VERB", 3, 4)]


def test_a_type_may_begin_with_a_letter_of_the_scheme() -> None:
    assert not has_prefixes(["O", "BODY", "INSECT"])
