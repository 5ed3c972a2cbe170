"""Entities written as tags and read again are the same, in whatever spelling."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.tagging.scheme import Entity
from engine.text.tagging.spelling import TagSpelling

SPELLINGS = {
    "BIO": [["B-x", "I-x", "O", "B-y", "B-y", "I-y"]],
    "IOB1": [["I-x", "I-x", "O", "I-y", "B-y", "I-y", "O", "I-x", "B-x"]],
    "IOBES": [["B-x", "I-x", "E-x", "S-y", "O", "S-x", "B-y", "E-y", "B-y", "I-y", "E-y"]],
    "BILOU": [["B-x", "I-x", "L-x", "U-y", "O", "U-x", "B-y", "L-y", "B-y", "I-y", "L-y"]],
    "types before letters": [["x_B", "x_I", "O", "y_B", "y_B", "y_I"]],
    "colons": [["B:x", "I:x", "O", "B:y", "B:y", "I:y"]],
}


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[Entity], int]:
    """Entities that do not overlap, and the number of words."""
    entities, word = [], 0
    for _ in range(draw(st.integers(0, 5))):
        start = word + draw(st.integers(0, 2))
        word = start + draw(st.integers(1, 3))
        entities.append((draw(st.sampled_from("xy")), start, word))
    return entities, word + draw(st.integers(0, 2))


@pytest.mark.parametrize("name", SPELLINGS)
@given(sentences())
@settings(max_examples=25, deadline=None)
def test_entities_are_the_same_when_written_and_read_again(
    name: str, sentence: tuple[list[Entity], int]
) -> None:
    entities, count = sentence
    spelling = TagSpelling.of(SPELLINGS[name])
    tags = spelling.written(entities, count)
    assert len(tags) == count
    assert spelling.scheme.entities(tags) == entities
    assert {tag for tag in tags if tag != "O"} <= {t for row in SPELLINGS[name] for t in row}


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_tags_of_a_spelling_are_written_as_they_were(name: str) -> None:
    [tags] = SPELLINGS[name]
    spelling = TagSpelling.of([tags])
    assert spelling.written(spelling.scheme.entities(tags), len(tags)) == tags


@pytest.mark.parametrize("one", SPELLINGS)
@pytest.mark.parametrize("other", SPELLINGS)
def test_spellings_differ_unless_they_are_the_same(one: str, other: str) -> None:
    first, second = TagSpelling.of(SPELLINGS[one]), TagSpelling.of(SPELLINGS[other])
    assert first.differs(second) is (one != other)


def test_the_first_word_is_marked_in_iob1_only_beside_an_entity_of_its_type() -> None:
    spelling = TagSpelling.of(SPELLINGS["IOB1"])
    assert spelling.written([("x", 0, 2), ("x", 2, 3), ("y", 3, 4)], 5) == [
        "I-x", "I-x", "B-x", "I-y", "O",
    ]  # fmt: skip


def test_types_are_written_as_the_training_rows_have_them() -> None:
    spelling = TagSpelling.of([["B-PER", "I-PER", "O"]])
    assert spelling.written([("per", 0, 2), ("new", 2, 3)], 3) == ["B-PER", "I-PER", "B-new"]


def test_a_split_without_entities_is_no_other_spelling() -> None:
    spelling = TagSpelling.of(SPELLINGS["BIO"])
    assert not TagSpelling.of([["O", "O"]]).differs(spelling)
    assert not spelling.differs(TagSpelling.of([["O"]]))
