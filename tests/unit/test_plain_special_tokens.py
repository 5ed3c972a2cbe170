"""Stand-ins for special tokens in texts: what is hidden is revealed, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.tokens.literals import (
    finder,
    hidden,
    literals_in,
    parts,
    revealed,
    stand_ins,
    within,
)

TOKENS = ["<s>", "</s>", "<|end|>", "<|end", "[INST]"]
FIND = finder(TOKENS)
TEXT = st.lists(st.sampled_from([*TOKENS, "a", " ", "\ue000", "ü", "<", ">"]), max_size=10).map(
    "".join
)


@given(TEXT)
@settings(max_examples=60, deadline=None)
def test_texts_come_back_once_they_are_revealed_and_have_no_token_before(text: str) -> None:
    marks = stand_ins([(text, FIND)])
    covered = hidden(text, FIND, marks)
    assert revealed(covered, marks) == text
    if marks:
        assert not FIND.search(covered)
    assert not set(marks.values()) & set(text)  # stand-ins are characters of no meaning here
    assert len(set(marks.values())) == len(marks)


@given(TEXT)
@settings(max_examples=60, deadline=None)
def test_spans_are_where_the_tokens_are_once_revealed(text: str) -> None:
    marks = stand_ins([(text, FIND)])
    covered = hidden(text, FIND, marks)
    spans = literals_in(covered, marks, TOKENS)
    assert spans == [found.span() for found in FIND.finditer(text)]
    cut = list(parts(text, spans))
    assert "".join(part for part, _ in cut) == text
    assert all(part for part, _ in cut)
    assert [part for part, plain in cut if plain] == FIND.findall(text)


@given(TEXT, st.integers(0, 20), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_spans_within_a_part_have_its_characters(text: str, one: int, other: int) -> None:
    begin, until = sorted((min(one, len(text)), min(other, len(text))))
    spans = [found.span() for found in FIND.finditer(text)]
    inside = within(spans, begin, until)
    literal = {place for first, last in spans for place in range(first, last)}
    assert {place for first, last in inside for place in range(first, last)} == {
        place - begin for place in literal if begin <= place < until
    }


def test_tokens_that_are_not_special_are_read_in_two_parts() -> None:
    marks = stand_ins([("a<s>b", FIND)])
    covered = hidden("a<s>b", FIND, marks)
    assert literals_in(covered, marks, []) == [(1, 2), (2, 4)]


def test_the_longest_of_several_tokens_at_one_place_is_found() -> None:
    assert FIND.findall("x<|end|><|endless") == ["<|end|>", "<|end"]
    assert finder([]).search("anything") is None


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "a<s>b"}, {"role": "assistant", "content": None}],
        {"deep": {"er": ["<s>", 5, True, "</s>x"]}},
        "no token",
        None,
    ],
)
def test_texts_are_hidden_wherever_they_stand_in_a_value(value: Any) -> None:
    marks = stand_ins([(value, FIND)])
    covered = hidden(value, FIND, marks)
    assert "<s>" not in repr(covered)

    def back(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: back(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [back(inner) for inner in part]
        return revealed(part, marks) if isinstance(part, str) else part

    assert back(covered) == value
