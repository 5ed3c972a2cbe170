"""Windows over texts longer than a network takes in: nothing is lost, nothing too long."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.tokens.token_windows import Window, context_windows, sentence_windows
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from engine.text.tokens.windows import ContextWindows

WORDS = ["the", "film", "was", "good", "bad", "café", "12", ",", "rewatched", "😀"]
TOKENIZER = wordpiece_from(train_wordpiece([" ".join(WORDS)] * 9, 60, lowercase=True))
CLS, SEP = (TOKENIZER.convert_tokens_to_ids(mark) for mark in ("[CLS]", "[SEP]"))
QUICK = settings(max_examples=40, deadline=None)
LONG_TEXT = st.lists(st.sampled_from(WORDS), min_size=20, max_size=120)
TEXT = st.lists(st.sampled_from(WORDS), min_size=1, max_size=40)


def tokens_of(text: str) -> list[int]:
    ids: list[int] = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    return ids


def contexts(question: str, context: str, most: int, stride: int) -> list[Window[tuple[int, int]]]:
    return list(context_windows(TOKENIZER, [question], [context], most, stride))


def part(window: Window[Any]) -> list[int]:
    """The tokens of a window that stand for the text."""
    inside = zip(window.inputs["input_ids"], window.places, strict=True)
    return [token for token, place in inside if place is not None]


def joined(parts: Sequence[list[int]], stride: int) -> list[int]:
    """The tokens of overlapping windows, each once."""
    return [*parts[0], *chain.from_iterable(own[stride:] for own in parts[1:])]


@given(LONG_TEXT, st.integers(32, 40), st.integers(0, 10))
@QUICK
def test_windows_of_a_context_hold_all_its_tokens_and_share_the_stride(
    words: list[str], most: int, stride: int
) -> None:
    context = " ".join(words)
    windows = contexts("was it good", context, most, stride)
    parts = [part(window) for window in windows]
    assert joined(parts, stride) == tokens_of(context)
    for one, other in pairwise(parts):
        assert one[len(one) - stride :] == other[:stride]
    for window in windows:
        ids = window.inputs["input_ids"]
        assert len(ids) <= most
        assert len(ids) == len(window.places) == len(window.inputs["token_type_ids"])
        assert window.owner == 0


@given(TEXT)
@QUICK
def test_the_place_of_a_token_is_its_characters_in_the_context(words: list[str]) -> None:
    context = "  ".join(words)
    for window in contexts("good", context, 12, 2):
        places = [place for place in window.places if place is not None]
        pieces = TOKENIZER.convert_ids_to_tokens(part(window))
        for (start, end), piece in zip(places, pieces, strict=True):
            written = context[start:end].lower().replace("é", "e")  # as the tokenizer reads them
            assert piece in (written, f"##{written}", "[UNK]")
        assert places == sorted(places)


@pytest.mark.parametrize("most", [8, 11, 16])
def test_a_question_takes_half_of_a_window_at_most(most: int) -> None:
    question = " ".join(["was the film good"] * 9)
    context = "the film was bad"
    windows = contexts(question, context, most, 0)
    assert joined([part(window) for window in windows], 0) == tokens_of(context)
    for window in windows:
        ids = window.inputs["input_ids"]
        asked = ids[1 : ids.index(SEP)]
        assert asked == tokens_of(question)[: most // 2]
        assert window.inputs["token_type_ids"].count(0) == len(asked) + 2


def test_windows_belong_to_their_rows_in_order() -> None:
    long, short = "the film was good " * 6, "bad"
    windows = list(context_windows(TOKENIZER, ["a", "b", "c"], [long, short, long], 12, 0))
    owners = [window.owner for window in windows]
    assert owners == sorted(owners)
    assert owners.count(1) == 1
    assert owners.count(0) == owners.count(2) > 1
    first, last = ([part(w) for w in windows if w.owner == owner] for owner in (0, 2))
    assert first == last


def test_a_context_without_a_token_has_a_window_without_a_place() -> None:
    [window] = contexts("good", "   ", 12, 0)
    assert window.places == [None] * len(window.inputs["input_ids"])


@given(TEXT, st.integers(6, 16), st.integers(0, 2))
@QUICK
def test_windows_of_a_sentence_number_the_words_of_their_tokens(
    words: list[str], most: int, stride: int
) -> None:
    windows = list(sentence_windows(TOKENIZER, [words], most, stride))
    parts = [part(window) for window in windows]
    expected = [tokens_of(word) for word in words]
    assert joined(parts, stride) == list(chain.from_iterable(expected))
    for window in windows:
        assert len(window.inputs["input_ids"]) <= most
        assert window.inputs["input_ids"][0] == CLS
        assert window.inputs["input_ids"][-1] == SEP
        for token, number in zip(window.inputs["input_ids"], window.places, strict=True):
            assert number is None or token in expected[number]
    numbers = [n for window in windows for n in window.places if n is not None]
    assert {*numbers} == {*range(len(words))}


def test_each_sentence_of_several_has_its_own_windows() -> None:
    sentences = [["good"], ["the", "film"] * 8, []]
    windows = list(sentence_windows(TOKENIZER, sentences, 8, 1))
    assert [window.owner for window in windows if window.owner != 1] == [0, 2]
    # Of 16 tokens, 6 are in the first window and 5 new ones in each further one.
    assert len([window for window in windows if window.owner == 1]) == 3
    [empty] = [window for window in windows if window.owner == 2]
    assert empty.inputs["input_ids"] == [CLS, SEP]


def test_an_answer_keeps_the_accents_that_the_tokenizer_strips() -> None:
    context, answer = "ask Jose\u0301 now", "Jose\u0301"
    tokenizer = wordpiece_from(train_wordpiece(["who ask jose now"] * 9, 100, True))
    begin = context.index(answer)
    row = {"question": ["who"], "context": [context], "row": [0], "begin": [begin]}
    made = ContextWindows(tokenizer, 32, 4)(row | {"end": [begin + len(answer)]})
    first, last = made["first"][0], made["last"][0]
    assert context[made["starts"][0][first] : made["ends"][0][last]] == answer
