"""Classes of texts and of their words, from files to tokens, and from outputs to records."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from engine.data.builtin.toy import with_class_names
from engine.data.raw import TEST, TRAIN, Skip
from engine.errors import DataError

Make = Callable[..., Any]
TEXTS, WORDS = "text_classification", "token_classification"
REVIEWS = {
    "text": ["a good film", "Bad", "good good play"],
    "label": ["positive", "negative", "positive"],
}
PAIRS = {
    "premise": ["a man sleeps", "a man runs"], "hypothesis": ["he rests", "he rests now"],
    "label": ["yes", "no"],
}  # fmt: skip
TAGGED = {
    "tokens": [["Ann", "saw", "Rome"], ["Rome", "fell"]],
    "tags": [["B-person", "O", "B-place"], ["B-place", "O"]],
}
UNUSED = -100
"""The target of tokens without one, which cross-entropy ignores."""


def test_classes_columns_and_lengths_of_texts_are_fitted(prepare: Make) -> None:
    fitted = prepare(TEXTS, REVIEWS, max_length=12).fitted
    assert (fitted.text, fitted.text_pair, fitted.label) == ("text", "", "label")
    assert (fitted.classes, fitted.counts) == (["negative", "positive"], [1, 2])
    assert (fitted.multi_label, fitted.max_length) == (False, 12)


def test_a_tokenizer_is_trained_on_the_words_of_the_training_rows(prepare: Make) -> None:
    prepared = prepare(TEXTS, REVIEWS)
    # Padding, unknown, beginning and end come first; all text is in lower case.
    assert prepared.ids(["[PAD]", "[UNK]", "[CLS]", "[SEP]"]) == [0, 1, 2, 3]
    assert len(set(prepared.ids(["good", "bad", "film", "play"]))) == 4
    with pytest.raises(KeyError):
        prepared.ids(["Bad"])


def test_a_pre_trained_model_has_its_own_tokenizer_and_limit(
    prepare: Make, small_encoder: Path
) -> None:
    fitted = prepare(TEXTS, REVIEWS, model={"path": str(small_encoder)}, max_length=2000).fitted
    assert (fitted.tokenizer, fitted.max_length) == ("", 512)


def test_several_labels_of_a_text_are_counted_one_by_one(prepare: Make) -> None:
    fitted = prepare(TEXTS, REVIEWS | {"label": [["old", "long"], [], ["old"]]}).fitted
    assert (fitted.classes, fitted.counts, fitted.multi_label) == (["long", "old"], [1, 2], True)


def test_texts_that_cannot_be_used_are_left_out_and_counted(pipeline: Make) -> None:
    train = {"text": ["good", " ", "bad", "dull"], "label": ["+", "+", None, "-"]}
    test = {"text": ["good", "so so", "fine"], "label": ["+", "?", "-"]}
    raw = pipeline(TEXTS, train, test=test, label="label").load()
    assert raw.splits[TRAIN]["text"].to_pylist() == ["good", "dull"]
    assert raw.splits[TEST]["text"].to_pylist() == ["good", "fine"]
    assert raw.skips == (
        Skip("text is empty", 1, "train row 2"), Skip("label is empty", 1, "train row 3"),
        Skip("its class is not in the training rows", 1, "test row 2"),
    )  # fmt: skip


def test_labels_0_and_1_of_a_later_file_are_the_truth_values_of_the_training_rows(
    pipeline: Make,
) -> None:
    train = {"text": ["good", "bad", "fine", "dull"], "label": ["True", "False", "True", "False"]}
    test = {"text": ["good", "bad", "so so"], "label": ["1", "0", "0"]}
    raw = pipeline(TEXTS, train, test=test, label="label").load()
    assert raw.splits[TEST]["label"].to_pylist() == ["True", "False", "False"]
    [note] = [note for note in raw.notes if note.column == "label"]
    assert (note.kind, note.rows) == ("doubt", 3)


def test_labels_that_are_objects_are_refused_with_their_fields(pipeline: Make) -> None:
    rows = {"text": ["good", "bad"] * 9, "label": [{"name": "+"}, {"name": "-"}] * 9}
    with pytest.raises(DataError, match="'label' holds objects with name, not classes"):
        pipeline(TEXTS, rows, label="label").load()


@pytest.mark.parametrize(
    ("labels", "joined"),
    [
        (["a", "b", "a;b"], "a;b"),
        (["a", "c", "a|b"], "a|b"),
        (["a", "b", "a, b"], "a, b"),
        (["a", "c", "a, b"], ""),
        (["a", "b", "c;d"], ""),
    ],
)
def test_a_class_that_names_several_is_a_doubt(
    pipeline: Make, labels: list[str], joined: str
) -> None:
    made = pipeline(
        TEXTS, {"text": ["good", "bad", "dull"] * 9, "label": labels * 9}, label="label"
    )
    raw = made.load()
    summary = made.summarize(raw, made.fit(raw))
    told = [note.why for note in summary.notes if note.read_as == "one class"]
    assert [why.partition(" is one class")[0] for why in told] == [joined] * bool(joined)


def test_columns_beside_texts_and_labels_are_named_as_not_used(pipeline: Make) -> None:
    rows = {"id": [1, 2, 3] * 9, "text": ["a", "b", "c"] * 9, "label": ["+", "-", "+"] * 9}
    made = pipeline(TEXTS, rows | {"note": rows["text"]}, text="text", label="label")
    raw = made.load()
    notes = made.summarize(raw, made.fit(raw)).notes
    assert [note.why for note in notes if note.kind == "dropped"] == ["not used: id, note"]


def test_a_split_of_texts_that_vanishes_is_told_first(pipeline: Make) -> None:
    train = {"text": ["good", "bad", "fine", "dull"], "label": ["+", "-", "+", "-"]}
    test = {"text": ["good", " ", "so so"], "label": ["?", "+", "?"]}
    made = pipeline(TEXTS, train, test=test, label="label")
    raw = made.load()
    assert TEST not in raw.splits
    [lost] = [note for note in raw.notes if note.kind == "lost"]
    assert (lost.column, lost.why) == (
        TEST, "no row of test can be used: its class is not in the training rows (2 rows)",
    )  # fmt: skip
    assert raw.skips == (Skip("text is empty", 1, "test row 2"),)


@pytest.mark.parametrize(
    ("kind", "rows", "task", "message"),
    [
        (TEXTS, REVIEWS | {"label": ["same"] * 3}, {}, "The column label has only one class."),
        (TEXTS, REVIEWS, {"text": "texts"}, "task.text: there is no column 'texts'."),
        (TEXTS, REVIEWS | {"text": ["", " ", None]}, {"text": "text"},
         "No training row can be used: text is empty."),
        (WORDS, TAGGED | {"tags": [["O"] * 3, ["O"] * 2]}, {}, "The column tags has only one tag."),
        (WORDS, {"tokens": [["a"], ["b"]]}, {},
         "The columns with the words and with their tags cannot be detected."),
    ],
)  # fmt: skip
def test_texts_without_classes_are_refused(
    pipeline: Make, kind: str, rows: dict[str, Any], task: dict[str, Any], message: str
) -> None:
    own = pipeline(kind, rows, **task)
    with pytest.raises(DataError) as refused:
        own.fit(own.load())
    assert refused.value.message == message


def test_named_classes_of_which_one_alone_occurs_are_refused(pipeline: Make) -> None:
    own = pipeline(TEXTS, REVIEWS | {"label": [1] * 3})
    raw = own.load()
    named = with_class_names(raw.train, "label", ["neg", "pos"])
    with pytest.raises(DataError, match="The column label has only one class"):
        own.fit(raw.with_splits({**raw.splits, TRAIN: named}))


def test_texts_become_tokens_between_marks_padded_to_the_longest(prepare: Make) -> None:
    prepared = prepare(TEXTS, REVIEWS)
    batch = prepared.encoded()
    rows = [["[CLS]", "a", "good", "film", "[SEP]"], ["[CLS]", "bad", "[SEP]", "[PAD]", "[PAD]"],
            ["[CLS]", "good", "good", "play", "[SEP]"]]  # fmt: skip
    assert batch.inputs["input_ids"].tolist() == [prepared.ids(row) for row in rows]
    assert batch.inputs["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 0, 0], [1] * 5]
    assert batch.targets.tolist() == [1, 0, 1]
    assert batch.weight == 3


def test_a_second_text_is_a_segment_of_its_own(prepare: Make) -> None:
    prepared = prepare(TEXTS, PAIRS, max_length=9)
    fitted = prepared.fitted
    assert prepared.task.pipeline.inputs(fitted) == ("premise", "hypothesis")
    batch = prepared.encoded()
    words = ["[CLS]", "a", "man", "runs", "[SEP]", "he", "rests", "now", "[SEP]"]
    assert batch.inputs["input_ids"][1].tolist() == prepared.ids(words)
    assert batch.inputs["token_type_ids"].tolist() == [[0] * 5 + [1] * 3 + [0], [0] * 5 + [1] * 4]


def test_long_texts_are_cut_before_the_mark_of_the_end(prepare: Make) -> None:
    prepared = prepare(TEXTS, REVIEWS, max_length=4)
    row = prepared.encoded().inputs["input_ids"][0].tolist()
    assert row == prepared.ids(["[CLS]", "a", "good", "[SEP]"])


def test_several_labels_of_a_text_are_a_zero_or_one_for_each_class(prepare: Make) -> None:
    prepared = prepare(TEXTS, REVIEWS | {"label": [["old", "long"], [], ["old"]]})
    assert prepared.encoded().targets.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert prepared.network().config.problem_type == "multi_label_classification"


def test_texts_without_a_label_serve_predictions(prepare: Make) -> None:
    prepared = prepare(TEXTS, REVIEWS)
    batch = prepared.encoded_new({"text": ["bad play"]})
    assert batch.targets is None
    assert batch.inputs["input_ids"].tolist() == [prepared.ids(["[CLS]", "bad", "play", "[SEP]"])]


def test_the_class_of_a_text_is_predicted_with_its_probability(prepare: Make) -> None:
    prepared = prepare(TEXTS, REVIEWS)
    network = prepared.zeroed()
    network.classifier.bias.data = torch.tensor([math.log(3), 0.0])
    [record] = prepared.predictions(network, {"text": ["a film"]})
    assert record == {
        "label": "negative", "score": pytest.approx(0.75),
        "scores": pytest.approx({"negative": 0.75, "positive": 0.25}),
    }  # fmt: skip


def test_labels_of_a_text_are_those_likelier_than_not(prepare: Make) -> None:
    prepared = prepare(TEXTS, REVIEWS | {"label": [["old", "long"], ["new"], ["old"]]})
    network = prepared.zeroed()
    # The sigmoid of ln(p / (1 − p)) is p; classes are long, new, old.
    network.classifier.bias.data = torch.tensor([0.7, 0.4, 0.9]).logit()
    [record] = prepared.predictions(network, {"text": ["a film"]})
    assert record["labels"] == ["old", "long"]
    assert record["scores"] == pytest.approx({"old": 0.9, "long": 0.7, "new": 0.4})


def test_tags_are_fitted_with_outside_first(prepare: Make) -> None:
    fitted = prepare(WORDS, TAGGED, max_length=16).fitted
    assert (fitted.tokens, fitted.tags) == ("tokens", "tags")
    assert (fitted.names, fitted.max_length) == (["O", "B-person", "B-place"], 16)


def test_numbers_of_tags_have_the_names_in_the_file(prepare: Make) -> None:
    table = pa.table(TAGGED | {"tags": [[1, 0, 2], [2, 0]]})
    noted = with_class_names(table, "tags", ["O", "person", "place"])
    prepared = prepare(WORDS, noted)
    assert prepared.fitted.names == ["O", "person", "place"]
    assert prepared.encoded().targets["tags"][1].tolist() == [UNUSED, 2, 0, UNUSED, UNUSED]


def test_sentences_with_other_than_a_tag_for_each_word_are_left_out(pipeline: Make) -> None:
    rows = {
        "words": [["Ann", "left"], ["Ann"], [], ["Rome", "fell"]],
        "tags": [["B", "O"], ["B", "O"], [], None],
    }
    raw = pipeline(WORDS, rows).load()
    assert raw.train["words"].to_pylist() == [["Ann", "left"]]
    assert raw.skips == (
        Skip("it has not as many tags as words", 1, "train row 2"),
        Skip("there are no words or no tags", 2, "train row 3"),
    )


def test_the_first_token_of_each_word_is_tagged(prepare: Make) -> None:
    prepared = prepare(WORDS, TAGGED)
    # "Anne" is one word of two sub-words; training has no tag I-place.
    batch = prepared.encoded({
        "tokens": [["Anne", "Rome", "saw"], ["Rome"]],
        "tags": [["B-person", "I-place", "O"], ["B-place"]],
    })  # fmt: skip
    tokens = ["[CLS]", "ann", "##e", "rome", "saw", "[SEP]"]
    assert batch.inputs["input_ids"][0].tolist() == prepared.ids(tokens)
    assert batch.targets["tags"].tolist() == [
        [UNUSED, 1, UNUSED, UNUSED, 0, UNUSED], [UNUSED, 2] + [UNUSED] * 4,
    ]  # fmt: skip
    assert batch.targets["words"].tolist() == [[-1, 0, -1, 1, 2, -1], [-1, 0] + [-1] * 4]
    assert batch.weight == 3


def test_a_long_sentence_is_split_into_windows_that_share_its_words(prepare: Make) -> None:
    prepared = prepare(WORDS, TAGGED, max_length=6)
    words = ["saw", "Rome"] * 4
    batch = prepared.encoded({"tokens": [words], "tags": [["O", "B-place"] * 4]})
    assert len(batch.inputs["input_ids"]) > 1
    assert batch.targets["row"] == [0] * len(batch.inputs["input_ids"])
    counted = [word for word in batch.targets["words"].flatten().tolist() if word >= 0]
    assert sorted(counted) == list(range(8))
    assert batch.weight == 8


def test_words_are_predicted_with_their_tags_and_entities(prepare: Make) -> None:
    names = ["B-person", "I-person", "O"]
    prepared = prepare(WORDS, TAGGED | {"tags": [names, ["O", "O"]]})
    network = prepared.zeroed()
    network.classifier.bias.data = torch.tensor([0.0, 0.0, 1.0])
    # Tags are O, B-person, I-person. Punctuation of a sentence that was typed is a word.
    [record] = prepared.predictions(network, {"tokens": ["Ann left."]})
    assert record == {
        "tokens": ["Ann", "left", "."], "tags": ["I-person"] * 3,
        "entities": [{"type": "person", "text": "Ann left .", "start": 0, "end": 3}],
    }  # fmt: skip


def test_texts_of_a_file_have_their_words_where_those_of_training_rows_had_them(
    prepare: Make,
) -> None:
    texts = ["Ann left the U.S. today", "Bo likes C++ 3.5"]
    rows = {"text": texts, "tags": ["B-p O O B-p O", "B-p O B-p O"]}
    prepared = prepare(WORDS, rows, tokens="text", tags="tags")
    network = prepared.network()
    untagged = pa.table({"text": [*texts, None]})
    pipeline, fitted = prepared.task.pipeline, prepared.fitted
    table = pipeline.from_file(untagged, fitted, Path())
    words = [record["tokens"] for record in prepared.predictions(network, table)]
    assert words == [*map(str.split, texts), []]
    of_lists = prepare(WORDS, TAGGED)
    raw = pa.table({"tokens": ["Ann left."]})
    table = of_lists.task.pipeline.from_file(raw, of_lists.fitted, Path())
    [record] = of_lists.predictions(of_lists.network(), table)
    assert record["tokens"] == ["Ann", "left", "."]
