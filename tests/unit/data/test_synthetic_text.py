"""Sentences that are made up have entities, and answers where they are said to be."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from engine.data.builtin.synthetic_text import entities, questions
from engine.data.raw import TRAIN


def test_each_word_has_a_tag_and_entities_begin_with_a_b() -> None:
    rows = entities().train.to_pylist()
    assert len(rows) == 2000
    kinds: Counter[str] = Counter()
    for row in rows:
        assert len(row["tokens"]) == len(row["tags"])
        before = "O"
        for word, tag in zip(row["tokens"], row["tags"], strict=True):
            assert word
            assert not re.search(r"[{}\s]", word)  # no place of a template is left
            if tag.startswith("I-"):
                assert before in (tag, f"B-{tag[2:]}")
            kinds[tag] += 1
            before = tag
    assert {*kinds} == {
        "O", "B-person", "I-person", "B-organisation", "I-organisation", "B-place",
    }  # fmt: skip


def test_a_person_has_two_names_and_a_place_one() -> None:
    for row in entities().train.slice(0, 300).to_pylist():
        tags = " ".join(row["tags"])
        assert tags.count("B-person") == tags.count("B-person I-person")
        assert "I-person I-person" not in tags
        assert "B-place I-place" not in tags


def test_an_answer_stands_at_its_place_in_the_text() -> None:
    rows = questions().train.to_pylist()
    assert len(rows) == 800
    for row in rows:
        [answer], [start] = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(answer)] == answer
        assert answer not in row["question"]


SENTENCES = {"born in": 0, "born?": 0, "live": 1, "work": 1, "found?": 2}


def test_an_answer_is_in_the_sentence_that_the_question_asks_about() -> None:
    for row in questions().train.to_pylist():
        place = next(place for word, place in SENTENCES.items() if word in row["question"])
        ends = [match.end() for match in re.finditer(r"\.( |$)", row["context"])]
        [start] = row["answers"]["answer_start"]
        assert sum(end <= start for end in ends) == place


@pytest.mark.parametrize("made", [entities, questions])
def test_the_same_rows_are_made_each_time(made: object) -> None:
    assert callable(made)
    assert made().splits[TRAIN].equals(made().splits[TRAIN])
