"""Entities equal those of seqeval, and so do their scores."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from engine.metrics.text.entities import entity_scores
from engine.text.tagging.scheme import TagScheme, scheme_of

entities_of = TagScheme().entities
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
    assert scheme_of(tags).marks is None
    assert scheme_of(tags).entities(tags) == [("DET", 0, 1), ("NOUN", 1, 3), ("VERB", 3, 4)]


def test_a_type_may_begin_with_a_letter_of_the_scheme() -> None:
    assert scheme_of(["O", "BODY", "INSECT"]).marks is None


SPELLINGS = [
    pytest.param(lambda tag: tag, id="B-person"),
    pytest.param(lambda tag: tag.replace("-", "_", 1), id="B_person"),
    pytest.param(lambda tag: tag.lower(), id="b-person"),
    pytest.param(lambda tag: tag and "-".join(tag.split("-", 1)[::-1]), id="person-B"),
    pytest.param(lambda tag: tag and "_".join(tag.split("-", 1)[::-1]), id="person_B"),
    pytest.param(lambda tag: "OTHER" if tag == "O" else tag, id="OTHER outside"),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(sentences)
def test_marks_are_read_in_every_spelling(spelling: Callable[[str], str], tags: list[str]) -> None:
    scheme = scheme_of([spelling(tag) for tag in TAGS])
    expected = [(kind, first, last + 1) for kind, first, last in get_entities(tags)]
    assert scheme.entities([spelling(tag) for tag in tags]) == expected


@given(sentences)
def test_suffixes_are_read_as_seqeval_reads_them(tags: list[str]) -> None:
    written = ["-".join(tag.split("-", 1)[::-1]) for tag in tags]
    expected = [(kind, first, last + 1) for kind, first, last in get_entities(written, suffix=True)]
    names = ["-".join(tag.split("-", 1)[::-1]) for tag in TAGS]
    assert scheme_of(names).entities(written) == expected


@pytest.mark.filterwarnings("ignore:.*seems not to be NE tag")
def test_marks_may_have_no_type() -> None:
    tags = ["B", "I", "O", "B", "B"]
    expected = [(kind, first, last + 1) for kind, first, last in get_entities(tags)]
    assert scheme_of(["O", "B", "I"]).entities(tags) == expected


def test_one_tag_without_a_mark_does_not_unmake_the_others() -> None:
    names = ["O", "B-person", "I-person", "PERSON"]
    scheme = scheme_of(names)
    tags = ["B-person", "I-person", "O", "PERSON", "PERSON"]
    assert scheme.entities(tags) == [("person", 0, 2), ("PERSON", 3, 5)]
    assert any("PERSON mark no position" in note.why for note in scheme.doubts(names))


def test_neighbours_that_cannot_be_distinguished_are_reported() -> None:
    for names in (["O", "I-person"], ["O", "person"]):
        assert [note.why for note in scheme_of(names).doubts(names)] == [
            "no tag marks the beginning of an entity: neighbours of a type are one"
        ]
    assert not scheme_of(TAGS).doubts(TAGS)
    assert not scheme_of(["DET", "NOUN"]).doubts(["DET", "NOUN"])


def test_types_without_marks_leave_out_the_words_outside() -> None:
    for outside in ("O", "other", "_"):
        scheme = scheme_of([outside, "person", "place"])
        assert scheme.entities([outside, "person", "person", outside]) == [("person", 1, 3)]
