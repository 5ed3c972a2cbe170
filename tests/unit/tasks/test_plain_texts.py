"""Special tokens that are written in the texts of a task are plain text, and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import transformers

from engine.data.raw import TRAIN
from engine.text.tokens.any_tokenizer import content_of
from engine.text.tokens.plain_texts import can_read_as_text, find_special_tokens, read_as_text
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

Make = Callable[..., Any]
EVIL = "a [SEP] b [CLS]"
CLASSES = {"text": ["good [SEP] a", "bad b", "good c", "bad d"] * 3, "label": ["x", "y"] * 6}
TASKS: dict[str, dict[str, Any]] = {
    "text_classification": CLASSES,
    "text_regression": {"text": CLASSES["text"], "target": [1.0, 2.5, 3.0] * 4},
    "token_classification": {
        "tokens": [["good", "[SEP]", "a"], ["bad"]] * 6,
        "tags": [["O", "B-x", "O"], ["B-x"]] * 6,
    },
    "embedding": {"anchor": CLASSES["text"], "positive": [f"[SEP] {n}" for n in range(12)]},
}


def times(prepared: Any, ids: Any, token: str) -> list[int]:
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    return [int(row) for row in (ids == tokenizer.convert_tokens_to_ids(token)).sum(1)]


@pytest.mark.parametrize("kind", TASKS)
def test_a_text_cannot_hold_the_token_between_texts(prepare: Make, kind: str) -> None:
    rows = TASKS[kind]
    prepared = prepare(kind, rows, max_length=64)
    ids = prepared.encoded().inputs["input_ids"]
    assert set(times(prepared, ids, "[SEP]")) == {1}
    special = prepare(kind, rows, max_length=64, special_tokens="special")
    assert max(times(special, special.encoded().inputs["input_ids"], "[SEP]")) > 1


@pytest.mark.parametrize("kind", TASKS)
def test_rows_with_special_tokens_are_counted(prepare: Make, kind: str) -> None:
    rows = TASKS[kind]
    prepared = prepare(kind, rows, max_length=64)
    pipeline, fitted = prepared.task.pipeline, prepared.fitted
    columns = pipeline.texts_of_rows(fitted)
    expected = sum("[SEP]" in str([row[name] for name in columns])
                   for row in prepared.raw.splits[TRAIN].to_pylist())  # fmt: skip
    told = [note for note in pipeline.summarize(prepared.raw, fitted).notes
            if note.change == "task.special_tokens"]  # fmt: skip
    [train] = [note for note in told if note.why.startswith(TRAIN)]
    assert train.rows == expected
    assert "such as [SEP] in row" in train.why
    assert train.read_as == "plain text"


def test_targets_of_a_translation_do_not_end_at_an_end_that_is_written(prepare: Make) -> None:
    rows = {"source": ["a<|endoftext|>b"] * 4, "target": ["c<|endoftext|>d"] * 4}
    prepared = prepare("seq2seq", rows, max_source_length=64, max_target_length=64)
    batch = prepared.encoded()
    assert set(times(prepared, batch.inputs["input_ids"], "<|endoftext|>")) == {1}
    assert set(times(prepared, batch.targets["labels"], "<|endoftext|>")) == {1}


def test_a_prompt_with_special_tokens_keeps_them_and_it_is_told(prepare: Make) -> None:
    rows = {"source": ["a"] * 4, "target": ["c<|endoftext|>d"] * 4}
    prepared = prepare("seq2seq", rows, prefix="<|endoftext|>", max_source_length=64)
    ids = prepared.encoded().inputs["input_ids"]
    assert set(times(prepared, ids, "<|endoftext|>")) == {2}
    notes = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).notes
    [told] = [note.why for note in notes if note.change and note.why.startswith(TRAIN)]
    assert told.endswith("as <|endoftext|> in the prompt is")


def test_rows_to_predict_from_are_read_alike_and_counted(prepare: Make) -> None:
    prepared = prepare("text_classification", CLASSES, max_length=64)
    new = {"text": ["c", EVIL, f"d {EVIL}"]}
    assert times(prepared, prepared.encoded_new(new).inputs["input_ids"], "[SEP]") == [1, 1, 1]
    [note] = prepared.task.pipeline.unfit(pa.table(new), prepared.fitted)
    assert note.rows == 2
    assert note.why == (
        "special tokens are written in the texts of 2 rows, such as [SEP] in row 2: they are read "
        "as plain text"
    )


def test_an_exported_tokenizer_reads_texts_as_it_was_trained(prepare: Make, tmp_path: Path) -> None:
    prepared = prepare("text_classification", CLASSES, max_length=64)
    own = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    prepared.task.files(prepared.fitted).companions(tmp_path)
    exported: Any = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert exported(EVIL)["input_ids"] == own(EVIL)["input_ids"]


def test_both_ways_to_read_have_tokens_of_their_own_in_the_cache(prepare: Make) -> None:
    ways = [prepare("text_classification", CLASSES, special_tokens=way)
            for way in ("plain", "special")]  # fmt: skip
    plain, special = (way.task.cache_key(way.fitted) for way in ways)
    tokenizers = [way.task.pipeline.tokenizer(way.fitted.tokenizer) for way in ways]
    assert content_of(tokenizers[0]) == content_of(tokenizers[1])
    assert plain != special


def test_tokenizers_in_python_read_them_as_plain_text_too() -> None:
    tokenizer: Any = transformers.ByT5Tokenizer()
    read_as_text(tokenizer)
    assert tokenizer.convert_ids_to_tokens(tokenizer("a</s>")["input_ids"]) == [
        "a", "<", "/", "s", ">", "</s>",
    ]  # fmt: skip


def test_a_tokenizer_whose_letters_are_added_tokens_keeps_them(tmp_path: Path) -> None:
    names = ["<cls>", "<pad>", "<eos>", "<unk>", "L", "A", "G", "<mask>"]
    (tmp_path / "vocab.txt").write_text("\n".join(names))
    assert not can_read_as_text(transformers.EsmTokenizer(str(tmp_path / "vocab.txt")))
    assert can_read_as_text(transformers.ByT5Tokenizer())


def test_texts_without_special_tokens_have_the_same_tokens() -> None:
    plain = wordpiece_from(train_wordpiece(["good [ bad ]"], 100, True))
    special = wordpiece_from(plain.backend_tokenizer.to_str())
    read_as_text(plain)
    for text in ("good bad", "[sep] good", "", "[ SEP ]"):
        assert plain(text, "bad") == special(text, "bad")


def test_missing_texts_have_no_special_tokens() -> None:
    tokenizer = wordpiece_from(train_wordpiece(["good"], 100, True))
    table = pa.table({"text": [None, "a"], "words": [None, ["[SEP]", None]], "number": [1, 2]})
    assert find_special_tokens(tokenizer, table, ["text", "number"]) is None
    found = find_special_tokens(tokenizer, table, ["text", "words", "gone"])
    assert found is not None
    assert (found.rows, found.first, found.token) == (1, 1, "[SEP]")


@pytest.mark.parametrize("kind", ["text_classification", "text_regression", "question_answering"])
def test_missing_texts_are_predicted_from_as_empty_ones_and_noted(
    prepare: Callable[..., Any], kind: str
) -> None:
    texts = ["a good film", "a bad film"]
    answers = {"question": ["what", "what"], "context": texts, "answers": ["good", "bad"]}
    labels = {"text": texts, "label": [0, 1]}
    prepared = prepare(kind, answers if kind == "question_answering" else labels)
    *_, column = inputs = prepared.task.pipeline.inputs(prepared.fitted)
    known = {name: pa.array(["x", "x", "x"]) for name in inputs}
    table = pa.table(known | {column: pa.array(["good", None, ""], pa.string())})
    records = prepared.predictions(prepared.network(), table)
    assert len(records) == 3
    assert records[1] == records[2]
    [note] = prepared.task.pipeline.unfit(table, prepared.fitted)
    assert (note.column, note.rows) == (column, 2)
