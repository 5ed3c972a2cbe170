"""Texts in parts that say whether they are learned, as Axolotl's template-free ``input_output``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import transformers

from engine.data.labels import IGNORED
from engine.errors import DataError
from engine.text.chat.instructions import Instructions
from engine.text.chat.labelled_texts import LabelledTexts, fault_of_segments
from engine.text.chat.shown_samples import shown_parts
from engine.text.generation.prompt_tokens import prompt_tokens
from engine.text.tokens.bpe import bpe_from, train_bpe

Make = Callable[..., Any]
END = "<|endoftext|>"
PARTS = [
    ("ask me\n", False), ("an", False), ("answ", True), ("er", False), (f"{END}", False),
    ("again", False), ("st", True), (f"ill{END}", True), ("anew", False),
]  # fmt: skip
"""Words that are cut where a tokenizer would not, and marks of the end of which one is learned."""


def segments(parts: Sequence[tuple[str, Any]] = PARTS) -> list[dict[str, Any]]:
    return [{"label": label, "text": text} for text, label in parts]


def byte_level(folder: Path) -> Any:
    words = "ananswer again anew still"
    return bpe_from(train_bpe([words] * 3, 400, ()))


def in_python(folder: Path) -> Any:
    words = "ask me an answ er answer again anew st ill still"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([words] * 20), model_prefix=str(folder / "pieces"), vocab_size=60,
        hard_vocab_limit=False, minloglevel=2, control_symbols=["<pad>", END],
    )  # fmt: skip
    return transformers.GPTSw3Tokenizer(str(folder / "pieces.model"))


@pytest.mark.parametrize("make", [byte_level, in_python])
@pytest.mark.parametrize("all_learned", [False, True])
def test_exactly_the_parts_with_a_true_label_are_learned(
    make: Any, all_learned: bool, tmp_path: Path
) -> None:
    tokenizer = make(tmp_path)
    ids: list[int] = []
    labels: list[int] = []
    for text, learned in PARTS:
        part = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += part
        labels += part if learned or all_learned else [IGNORED] * len(part)
    assert tokenizer("".join(text for text, _ in PARTS), add_special_tokens=False) != ids
    read = Instructions(tokenizer, 200, not all_learned, LabelledTexts())
    made = read({"segments": [segments()]})
    assert (made["input_ids"], made["labels"]) == ([ids[:-1]], [labels[1:]])
    assert not made["literal"][0]


def test_a_prompt_has_the_tokens_of_training_up_to_the_last_answer(tmp_path: Path) -> None:
    tokenizer, prompts = byte_level(tmp_path), LabelledTexts()
    row = {"segments": segments()}
    [ids] = Instructions(tokenizer, 200, True, prompts)({"segments": [segments()]})["input_ids"]
    asked = prompts.prompt(row)
    assert asked.text == f"ask me\nananswer{END}again"
    [tokens] = prompt_tokens(tokenizer, [asked])
    assert ids[: len(tokens)] == tokens
    assert prompts.prompt({"segments": "typed "}).text == "typed "


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (segments(), None),
        (json.dumps(segments()), None),
        (segments([("a", "True"), ("b", 0)]), None),
        (segments([("a", False), (" ", True)]), "no segment with a text has the label true"),
        (segments([("a", "PER")]), "a segment has the label PER, not true or false"),
        (segments([("a", None)]), "a segment has the label None, not true or false"),
        ([{"label": True}], "a segment has no text"),
        (["a"], "a segment has no text"),
        ([], "there are no segments"),
        (None, "there are no segments"),
        ("a text", "there are no segments"),
    ],
)
def test_what_nothing_can_be_learned_of_has_a_reason(value: Any, fault: str | None) -> None:
    assert fault_of_segments(value) == fault


def test_segments_are_found_read_and_those_with_faults_counted(prepare: Make) -> None:
    rows = {"segments": [segments(), segments([("a", False)])], "text": ["a", "b"]}
    prepared = prepare("causal_lm", rows, max_length=200)
    assert (prepared.fitted.form, prepared.fitted.columns) == ("segments", ["segments"])
    assert prepared.raw.train.num_rows == 1
    assert prepared.fitted.beginning == []
    assert prepared.task.writer(prepared.fitted).prompts is None
    facts = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).facts
    assert facts["learned"] == "segments labelled true"
    assert facts["prompts"] == "segments as they stand, without a chat template"


def test_the_column_may_have_another_name_and_others_may_be_chosen(prepare: Make) -> None:
    rows = {"parts": [segments()], "ask": ["a"], "answer": ["b"]}
    assert prepare("causal_lm", rows, messages="parts").fitted.form == "segments"


def test_chosen_pairs_go_before_segments(prepare: Make) -> None:
    rows = {"segments": [segments()], "ask": ["a"], "say": ["b"]}
    assert prepare("causal_lm", rows, prompt="ask", completion="say").fitted.form == "pairs"


def test_segments_with_classes_are_no_texts_to_learn(prepare: Make) -> None:
    with pytest.raises(DataError, match="objects with label and text, not turns"):
        prepare("causal_lm", {"segments": [segments([("Ann", "PER")])]})


def test_a_mark_of_the_end_is_shown_as_it_is_learned() -> None:
    [marked] = LabelledTexts().marked({"segments": segments()})
    assert shown_parts(marked, "", END, False) == (
        ("ask me\nan", False), ("answ", True), (f"er{END}again", False),
        ("st", True), (f"ill{END}", True), ("anew", False),
    )  # fmt: skip
