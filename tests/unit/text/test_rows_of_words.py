"""Tables with one word a row: which are such tables, and where their sentences end."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DataError
from engine.text.tagging.word_rows import (
    WordRows,
    sentence_column,
    untagged_sentences,
    word_rows,
)

WORDS = ["Ada", "met", "Bo", "in", "Rome", "."]
TAGS = ["B-PER", "O", "B-PER", "O", "B-LOC", "O"]


def found(columns: dict[str, Any], tokens: str = "", tags: str = "", sentence: str = "") -> Any:
    return word_rows(pa.table(columns), tokens, tags, sentence)


def sentences(numbers: list[Any], words: list[Any] | None = None) -> list[list[Any]]:
    """The words of each sentence, by default those of their places."""
    table = pa.table({"n": numbers, "word": words or [str(i) for i in range(len(numbers))]})
    read: list[list[Any]] = WordRows("word", "word", "n").sentences(table)["word"].to_pylist()
    return read


@given(st.lists(st.lists(st.text(max_size=5), min_size=1, max_size=6), max_size=8))
@settings(max_examples=50, deadline=None)
def test_sentences_laid_out_as_rows_come_back(expected: list[list[str]]) -> None:
    words = list(chain.from_iterable(expected))
    numbers = [i for i, own in enumerate(expected) for _ in own]
    table = pa.table({
        "word": pa.array(words, pa.string()),
        "tag": pa.array([f"O{word}" for word in words], pa.string()),
        "n": pa.array(numbers, pa.int64()),
    })  # fmt: skip
    read = WordRows("word", "tag", "n").sentences(table).to_pydict()
    assert read == {"word": expected, "tag": [[f"O{word}" for word in own] for own in expected]}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1, 1, 2, 2], ["01", "23"]),
        ([2, 2, 1, 1], ["01", "23"]),  # in any order
        ([1, 1, 2, 1], ["01", "2", "3"]),  # a number that comes again is another sentence
        (["Sentence: 1", None, None, "Sentence: 2"], ["012", "3"]),  # only before the first word
        (["s1", "", "", "s2"], ["012", "3"]),
        (["s1", " ", "s2", "s2"], ["01", "23"]),
        ([1.0, float("nan"), 2.0, float("nan")], ["01", "23"]),
        ([None, None, 1, 1], ["01", "23"]),
        ([None, None, None, None], ["0123"]),
        ([0, 0, 0, 1], ["012", "3"]),  # zero is a number, not an empty cell
        ([False, False, True, True], ["01", "23"]),
    ],
)
def test_a_sentence_is_rows_in_a_run_with_one_number(
    numbers: list[Any], expected: list[str]
) -> None:
    assert ["".join(own) for own in sentences(numbers)] == expected


def test_missing_words_stay_in_their_sentences() -> None:
    assert sentences([1, 1, 2], ["a", None, "b"]) == [["a", None], ["b"]]


def test_a_table_in_several_parts_and_notes_in_its_schema_are_kept() -> None:
    part = pa.table({"n": [1, 1, 2], "word": ["a", "b", "c"]})
    table = pa.concat_tables([part, part.slice(2), part.slice(0, 0)])
    table = table.replace_schema_metadata({"names": "x"})
    read = WordRows("word", "none", "n").sentences(table)
    assert read["word"].to_pylist() == [["a", "b"], ["c", "c"]]
    assert read.column_names == ["word"]
    assert read.schema.metadata == {b"names": b"x"}


@pytest.mark.parametrize(
    ("word", "tag", "number"),
    [
        ("Word", "Tag", "Sentence #"),
        ("token", "ner_tag", "sentence_id"),
        ("words", "labels", "sent_id"),
        ("form", "ner", "SENT"),
        ("text", "label", "sentence_number"),
    ],
)
def test_usual_names_are_found_in_any_case(word: str, tag: str, number: str) -> None:
    columns = {number: [1] * 6, word: WORDS, "pos": ["X"] * 6, tag: TAGS}
    assert found(columns) == WordRows(word, tag, number)


def test_columns_that_are_chosen_are_taken() -> None:
    columns = {"word": WORDS, "lemma": WORDS, "tag": TAGS, "pos": TAGS, "part": [1] * 6}
    assert found(columns, "lemma", "pos", "part") == WordRows("lemma", "pos", "part")
    with pytest.raises(DataError, match=r"task\.sentence: there is no column 'parts'"):
        found(columns, sentence="parts")


@pytest.mark.parametrize(
    "columns",
    [
        {"word": WORDS},  # no tags
        {"tag": TAGS, "other": WORDS},
        {"word": [[word] for word in WORDS], "tag": [[tag] for tag in TAGS]},  # lists already
        {"word": WORDS, "tag": [[tag] for tag in TAGS]},
        {"word": ["Ada met Bo", "in Rome", "today or later"], "tag": ["O", "O", "O"]},  # sentences
        {"word": WORDS, "tag": ["B-PER O"] * 6},  # several tags a row
        {"word": ["['Ada', 'met']", "['Bo']"], "tag": ["O", "O"]},  # lists as they are printed
        {"word": WORDS, "tag": [None] * 6},
        {"word": [None] * 6, "tag": TAGS},
        {"word": [1, 2], "tag": ["O", "O"]},
    ],
)
def test_other_tables_are_not_taken_for_one_word_a_row(columns: dict[str, Any]) -> None:
    rows = len(columns[next(iter(columns))])
    assert found(columns | {"sentence_id": [1] * rows}) is None


@pytest.mark.parametrize(("names", "accepted"), [(1, True), (2, False)])
def test_a_tenth_of_the_words_may_hold_a_blank(names: int, accepted: bool) -> None:
    words = ["New York"] * names + ["word"] * (10 - names)
    columns = {"word": words, "tag": ["O"] * 10, "sentence_id": [1] * 10}
    assert (found(columns) is not None) == accepted


def test_rows_of_words_without_a_column_of_sentences_are_a_question() -> None:
    with pytest.raises(DataError, match=r"no column tells the sentences apart\. Set task\.sent"):
        found({"word": WORDS, "tag": TAGS})
    # The column of the words is not that of the sentences, whatever it is called.
    with pytest.raises(DataError, match="no column tells the sentences apart"):
        found({"sentence": WORDS, "tag": TAGS})


@pytest.mark.parametrize(
    ("names", "chosen", "number"),
    [
        (("word", "tag"), "", ""),
        (("SENT_ID", "word"), "", "SENT_ID"),
        (("sent", "sentence_id"), "", "sentence_id"),  # the plainer name of two
        (("sentence",), "", ""),  # the words themselves
        (("sent_id",), "mine", "mine"),
    ],
)
def test_the_column_of_sentences_is_found_by_name(
    names: tuple[str, ...], chosen: str, number: str
) -> None:
    assert sentence_column(names, chosen, "sentence") == number


def test_rows_to_predict_from_are_joined_where_they_are_words() -> None:
    table = pa.table({"word": WORDS, "sentence_id": [1, 1, 1, 2, 2, 2]})
    joined = untagged_sentences(table, "word", "")
    assert joined.to_pydict() == {"word": [WORDS[:3], WORDS[3:]]}
    typed = pa.table({"word": ["Ada met Bo", "Rome is far"], "sentence_id": [1, 2]})
    assert untagged_sentences(typed, "word", "") is typed
    alone = pa.table({"word": WORDS})
    assert untagged_sentences(alone, "word", "") is alone
