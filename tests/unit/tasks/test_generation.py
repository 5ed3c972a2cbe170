"""Texts that are to be continued or translated, from files to tokens, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import nn

from engine.data.raw import TEST, TRAIN, VALIDATION, Skip
from engine.errors import DataError

Make = Callable[..., Any]
LANGUAGE, TRANSLATION = "causal_lm", "seq2seq"
END, PAD = "<|endoftext|>", "<|pad|>"
UNLEARNED = -100
"""The label of tokens that are not learned."""
WIDE = {"hidden_size": 260}
"""Wide enough for an embedding of its own for each of the 258 tokens."""
COLOURS = {"prompt": ["sky?", "owl? "], "completion": ["blue", "gray"]}
WORDS = {"source": ["ox", "cat"], "target": ["uy", "hq"]}


def turns(*texts: str | None) -> list[dict[str, str | None]]:
    """A conversation in which user and assistant take turns."""
    return [
        {"role": ("user", "assistant")[number % 2], "content": text}
        for number, text in enumerate(texts)
    ]


def letters(text: str) -> list[str]:
    """The tokens of a text, as byte-level tokenizers write blanks and ends of lines."""
    return list(text.replace(" ", "Ġ").replace("\n", "Ċ"))


@pytest.mark.parametrize(
    ("rows", "form", "columns"),
    [
        ({"text": ["a text", "another"]}, "text", ["text"]),
        (COLOURS, "pairs", ["prompt", "completion"]),
        ({"messages": [turns("sky?", "blue")]}, "messages", ["messages"]),
    ],
)
def test_columns_determine_the_format_of_texts(
    prepare: Make, rows: dict[str, Any], form: str, columns: list[str]
) -> None:
    prepared = prepare(LANGUAGE, rows, max_length=20)
    fitted = prepared.fitted
    assert (fitted.form, fitted.columns, fitted.max_length) == (form, columns, 20)
    assert prepared.task.pipeline.inputs(fitted) == (columns[0],)


def test_the_smallest_tokenizer_has_all_bytes_beside_end_and_padding(prepare: Make) -> None:
    prepared = prepare(LANGUAGE, {"text": ["abab", "abcd"]}, model={"vocab_size": 100})
    assert prepared.ids([END, PAD]) == [0, 1]
    assert len(json.loads(prepared.fitted.tokenizer)["model"]["vocab"]) == 256 + 2


def test_blank_rows_make_rows_the_lines_of_one_text(prepare: Make) -> None:
    assert prepare(LANGUAGE, {"text": ["ab", "", "cd"]}).fitted.lines
    assert not prepare(LANGUAGE, {"text": ["ab", "cd"]}).fitted.lines


def test_plain_text_is_cut_at_its_end_by_characters(pipeline: Make) -> None:
    # With the blank behind each: 60, 20, 10, 10 characters.
    rows = {"text": ["x" * 59, "y" * 19, "z" * 9, "w" * 9]}
    aside = {"validation_fraction": 0.2, "test_fraction": 0.1}
    raw = pipeline(LANGUAGE, rows, data=aside).load()
    lengths = {name: [len(text) for text in table["text"].to_pylist()]
               for name, table in raw.splits.items()}  # fmt: skip
    assert lengths[TRAIN] + lengths[VALIDATION] + lengths[TEST] == [59, 19, 9, 9]
    assert lengths[TEST] == [9]
    assert raw.notes[0].why == "the last 10% of the text (1 row) set aside for test"


@pytest.mark.parametrize(
    ("rows", "skips"),
    [
        (COLOURS | {"completion": ["blue", " "]}, {Skip("completion is empty", 1, "train row 2")}),
        ({"messages": [turns("sky?", "blue"), [], turns("sky?"), turns("sky?", None), []]},
         {Skip("the conversation is empty", 2, "train row 2"),
          Skip("there is no answer", 1, "train row 3"), Skip("a turn is empty", 1, "train row 4")}),
    ],
)  # fmt: skip
def test_instructions_without_an_answer_are_left_out_and_counted(
    pipeline: Make, rows: dict[str, Any], skips: set[Skip]
) -> None:
    raw = pipeline(LANGUAGE, rows).load()
    assert raw.train.num_rows == 1
    assert set(raw.skips) == skips


def test_turns_without_content_are_refused(pipeline: Make) -> None:
    with pytest.raises(DataError) as refused:
        pipeline(LANGUAGE, {"messages": [[{"role": "assistant"}], [{"role": "user"}]]}).load()
    assert refused.value.message == ("No training row can be used: a turn has no role or content.")


def test_plain_text_is_cut_into_blocks_that_predict_the_next_token(prepare: Make) -> None:
    prepared = prepare(LANGUAGE, {"text": ["abcd", "ef"]}, max_length=4)
    batch = prepared.encoded()
    # a b c d END e f END: one block of 4 with the token after each; the next would lack one.
    assert batch.inputs["input_ids"].tolist() == [prepared.ids("abcd")]
    assert batch.targets["labels"].tolist() == [prepared.ids(["b", "c", "d", END])]
    assert batch.weight == 4
    # 8 tokens have 6 characters.
    assert batch.targets["characters"] == 4 * 6 / 8


def test_a_text_shorter_than_a_block_is_refused(prepare: Make) -> None:
    prepared = prepare(LANGUAGE, {"text": ["ab", "c"]}, max_length=5)
    with pytest.raises(DataError, match="only 5 tokens, where a block needs 6"):
        prepared.encoded()


def test_only_answers_are_learned_each_with_its_end(prepare: Make) -> None:
    prepared = prepare(LANGUAGE, COLOURS)
    batch = prepared.encoded()
    # An end of line stands between the two where there is no blank; a blank belongs to the answer.
    for row, text, learned in ((0, "sky?\nblue", "blue"), (1, "owl? gray", " gray")):
        assert batch.inputs["input_ids"][row].tolist() == prepared.ids(letters(text))
        unlearned = [UNLEARNED] * (len(text) - len(learned) - 1)
        assert batch.targets["labels"][row].tolist() == [
            *unlearned, *prepared.ids([*letters(learned), END]),
        ]  # fmt: skip
    assert batch.weight == 5 + 6
    assert batch.targets["characters"] == 4 + 5


def test_shorter_instructions_are_padded_and_the_padding_is_not_learned(prepare: Make) -> None:
    prepared = prepare(
        LANGUAGE, {"prompt": ["sky?", "ox?"], "completion": ["blue", "no"]}, completions_only=False
    )
    batch = prepared.encoded()
    assert batch.inputs["input_ids"][1].tolist() == prepared.ids([*letters("ox?\nno"), *[PAD] * 3])
    assert batch.inputs["attention_mask"][1].tolist() == [1] * 6 + [0] * 3
    learned = prepared.ids([*letters("x?\nno"), END])
    assert batch.targets["labels"][1].tolist() == [*learned, *[UNLEARNED] * 3]


def test_answers_beyond_the_longest_are_left_out_and_reported(prepare: Make) -> None:
    prepared = prepare(LANGUAGE, COLOURS | {"prompt": ["the sky?", "an"]}, max_length=10)
    batch = prepared.encoded()
    assert len(batch.inputs["input_ids"]) == 1
    [report] = prepared.events
    assert report.message == (
        "1 of 2 samples have an answer that reaches beyond task.max_length (10 tokens) and is not "
        "learned (the first is row 1); task.too_long=cut learns its beginning."
    )


def test_data_without_an_answer_that_fits_are_refused(prepare: Make) -> None:
    prepared = prepare(LANGUAGE, COLOURS, max_length=4)
    with pytest.raises(DataError, match=r"No row can be learned\. 2 of 2 samples have an answer"):
        prepared.encoded()


@pytest.mark.parametrize(
    ("rows", "new", "expected"),
    [
        ({"text": ["abc", "def"]}, ["ab", None], ["ab", None]),
        (COLOURS, ["sky?", "owl? "], ["sky?\n", "owl?"]),
        ({"messages": [turns("sky?", "blue")]}, [turns("sky?", "red"), turns("ox?")],
         ["<|user|>\nsky?§\n<|assistant|>\n", "<|user|>\nox?§\n<|assistant|>\n"]),
    ],
)  # fmt: skip
def test_prompts_end_where_the_network_is_to_continue(
    prepare: Make, rows: dict[str, Any], new: list[Any], expected: list[str | None]
) -> None:
    prepared = prepare(LANGUAGE, rows)
    batch = prepared.encoded_new({prepared.fitted.columns[0]: new})
    assert batch.targets is None
    for ids, mask, text in zip(*batch.inputs.values(), expected, strict=True):
        # Each turn ends with the mark of the end; that alone stands for an empty prompt.
        tokens = [END if letter == "§" else letter for letter in letters(text or "§")]
        assert ids[mask == 1].tolist() == prepared.ids(tokens)


def following(network: Any, ids: Mapping[int, int]) -> Any:
    """Let the tokens of a network whose parameters are 0 be followed by those given.

    Nothing is done to embeddings then but normalization, so that the last layer alone decides.
    """
    tokens, width = network.get_input_embeddings().weight.shape
    assert width >= tokens
    embeddings, last = torch.eye(tokens, width), torch.zeros(tokens, width)
    for token, after in ids.items():
        last[after] += embeddings[token]
    network.get_input_embeddings().weight.data = embeddings
    network.lm_head.weight = nn.Parameter(last)
    return network


def chained(prepared: Any, network: Any, tokens: Sequence[str]) -> Any:
    """Return the network that writes these tokens one after the other."""
    return following(network, dict(zip(prepared.ids(tokens[:-1]), prepared.ids(tokens[1:]),
                                       strict=True)))  # fmt: skip


def test_a_prompt_is_continued_up_to_the_end_of_the_text(prepare: Make) -> None:
    prepared = prepare(
        LANGUAGE, {"text": ["abcd", "ef"]}, model=WIDE, temperature=0, max_new_tokens=9
    )
    network = prepared.zeroed()
    network.model.norm.weight.data.fill_(1)
    network = chained(prepared, network, ["a", "b", "c", "d", END])
    assert prepared.predictions(network, {"text": ["ca", "b"]}) == [
        {"prompt": "ca", "continuation": "bcd"}, {"prompt": "b", "continuation": "cd"},
    ]  # fmt: skip


def test_sides_and_lengths_of_translations_are_fitted(prepare: Make) -> None:
    prepared = prepare(TRANSLATION, WORDS, max_source_length=10, max_target_length=5)
    fitted = prepared.fitted
    assert (fitted.source, fitted.target) == ("source", "target")
    assert (fitted.max_length, fitted.max_target_length) == (10, 5)
    # A decoder from scratch begins with padding.
    assert [fitted.decoder_start_token_id] == prepared.ids([PAD])
    assert prepared.task.pipeline.inputs(fitted) == ("source",)


def test_translations_by_language_are_laid_open_and_those_with_one_side_left_out(
    pipeline: Make,
) -> None:
    rows = [{"en": "one", "fr": "un"}, {"en": "two", "fr": " "}, {"en": None, "fr": "trois"}]
    raw = pipeline(TRANSLATION, pa.table({"translation": rows})).load()
    assert raw.train.to_pylist() == [{"en": "one", "fr": "un"}]
    assert raw.skips == (
        Skip("fr is empty", 1, "train row 2"), Skip("en is empty", 1, "train row 3"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "task", "message"),
    [
        (WORDS | {"third": ["a", "b"]}, {"source": "target"},
         "Which columns hold the sources and the targets? Texts are in source, third."),
        (WORDS, {"source": "source", "target": "source"},
         "task.target: 'source' is the source already."),
        (WORDS, {"target": "aim"}, "task.target: there is no column 'aim'."),
    ],
)  # fmt: skip
def test_data_without_two_sides_is_refused(
    pipeline: Make, rows: dict[str, Any], task: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError) as refused:
        pipeline(TRANSLATION, rows, **task).load()
    assert refused.value.message == message


def test_the_decoder_sees_each_target_one_token_late(prepare: Make) -> None:
    rows = {"source": ["ox", "cat"], "target": ["uyz", "q"]}
    prepared = prepare(TRANSLATION, rows)
    batch = prepared.encoded()
    sources = [["o", "x", END, PAD], ["c", "a", "t", END]]
    assert batch.inputs["input_ids"].tolist() == [prepared.ids(row) for row in sources]
    assert batch.inputs["attention_mask"].tolist() == [[1, 1, 1, 0], [1] * 4]
    long, short = prepared.ids(["u", "y", "z", END]), prepared.ids(["q", END])
    assert batch.targets["labels"].tolist() == [long, [*short, UNLEARNED, UNLEARNED]]
    before = [[PAD, "u", "y", "z"], [PAD, "q", END, PAD]]
    assert batch.inputs["decoder_input_ids"].tolist() == [prepared.ids(row) for row in before]
    assert batch.weight == 4 + 2


def test_sources_have_their_prefix_and_both_sides_are_cut(prepare: Make) -> None:
    prepared = prepare(
        TRANSLATION, {"source": ["oxen"], "target": ["uyz"]}, prefix="f:",
        max_source_length=5, max_target_length=3,
    )  # fmt: skip
    batch = prepared.encoded()
    assert batch.inputs["input_ids"].tolist() == [prepared.ids(["f", ":", "o", "x", END])]
    assert batch.targets["labels"].tolist() == [prepared.ids(["u", "y", END])]


def test_a_source_alone_serves_predictions(prepare: Make) -> None:
    prepared = prepare(TRANSLATION, WORDS)
    batch = prepared.encoded_new({"source": ["cat"]})
    assert batch.targets is None
    assert set(batch.inputs) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("beams", [1, 2])
def test_a_text_is_written_for_each_source(prepare: Make, beams: int) -> None:
    prepared = prepare(TRANSLATION, WORDS, model=WIDE, num_beams=beams, max_new_tokens=9)
    network = prepared.zeroed()
    network.decoder.final_layer_norm.weight.data.fill_(1)
    network = chained(prepared, network, [PAD, "u", "y", "x", END])
    assert prepared.predictions(network, {"source": ["cat", "an ox"]}) == [
        {"source": "cat", "generated": "uyx"}, {"source": "an ox", "generated": "uyx"},
    ]  # fmt: skip
