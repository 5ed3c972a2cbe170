"""Texts begin as the tokenizer begins them, so that what is learned is what is asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from engine.batches.source import Noise
from engine.data.labels import IGNORED
from engine.pipelines.causal_lm import CausalLmFitted
from engine.pipelines.preference import PreferenceFitted
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.instructions import Instructions
from engine.text.chat.plain_prompts import PlainPrompts
from engine.text.chat.prompts import Prompt
from engine.text.chat.shown_samples import shown_parts
from engine.text.generation.prompt_tokens import encoded_prompts, prompt_tokens
from engine.text.preferences.tokens import PreferenceTokens
from engine.text.tokens.beginning import beginning_of, begun, ends_texts, last_tokens, without_end
from engine.text.tokens.blocks import BlockSource
from engine.text.tokens.bpe import bpe_from, train_bpe

WORDS = ["<pad>", "<s>", "</s>", "what", "is", "red", "?", "blood", ".", "sky"]
ROW = {"prompt": "what is red ? ", "completion": "blood ."}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}"
    "{{ eos_token }}{% else %} {% endif %}{% endfor %}"
)


def tokenizer_with(form: str) -> Any:
    """Whole words as tokens, with a post-processor of this form."""
    numbers = {word: number for number, word in enumerate(WORDS)}
    made = Tokenizer(models.WordLevel(numbers, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    marks = [(mark, numbers[mark]) for mark in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing(single=form, special_tokens=marks)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


@pytest.fixture(params=["<s> $A", "<s> $A </s>"], ids=["begins", "begins and ends"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return tokenizer_with(request.param)


def plain(tokenizer: Any) -> PlainPrompts:
    return PlainPrompts(tokenizer.eos_token, "\n", beginning_of(tokenizer))


def samples(tokenizer: Any, prompts: Any, row: dict[str, Any], only: bool = True) -> dict[str, Any]:
    return Instructions(tokenizer, 50, only, prompts)({name: [row[name]] for name in row})


def test_beginning_is_what_the_tokenizer_writes_before_a_text(tokenizer: Any) -> None:
    assert beginning_of(tokenizer) == [1]
    assert beginning_of(tokenizer_with("$A")) == beginning_of(tokenizer_with("$A </s>")) == []
    assert beginning_of(tokenizer_with("</s> <s> $A")) == [2, 1]


def test_new_tokenizers_write_nothing_before_a_text() -> None:
    assert beginning_of(bpe_from(train_bpe(["a b c"], 300))) == []


def test_pairs_are_tokenized_as_by_trl(tokenizer: Any) -> None:
    # By SFTTrainer of TRL 1.16.0 with transformers 5.24.0 for ROW and the tokenizer "<s> $A":
    # input_ids [1, 3, 4, 5, 6, 7, 8, 2], labels [-100] * 5 + [7, 8, 2].
    made = samples(tokenizer, plain(tokenizer), ROW)
    assert made["input_ids"] == [[1, 3, 4, 5, 6, 7, 8]]
    assert made["labels"] == [[IGNORED] * 4 + [7, 8, 2]]


def test_prompts_are_learned_from_the_beginning_where_all_is_learned(tokenizer: Any) -> None:
    made = samples(tokenizer, plain(tokenizer), ROW, only=False)
    assert made["labels"] == [[3, 4, 5, 6, 7, 8, 2]]


def test_preferences_are_tokenized_as_by_trl(tokenizer: Any) -> None:
    # By DPOTrainer of TRL 1.16.0 for the tokenizer "<s> $A": prompt_ids [1, 3, 4, 5, 6],
    # chosen_ids [7, 8, 2], rejected_ids [9, 8, 2]; KTOTrainer has the same.
    row = {"prompt": [ROW["prompt"]], "chosen": ["blood ."], "rejected": ["sky ."], "row": [0]}
    made = PreferenceTokens(tokenizer, 50, plain(tokenizer), single=False)(row)
    assert made["input_ids"] == [[1, 3, 4, 5, 6, 7, 8]]
    assert made["second_ids"] == [[1, 3, 4, 5, 6, 9, 8]]
    assert made["first_labels"] == [[IGNORED] * 4 + [7, 8, 2]]
    assert made["second_labels"] == [[IGNORED] * 4 + [9, 8, 2]]


def test_prompts_are_asked_as_they_were_learned(tokenizer: Any) -> None:
    prompt = plain(tokenizer).prompt(ROW)
    [asked] = prompt_tokens(tokenizer, [prompt])
    [written] = encoded_prompts(tokenizer, [prompt], [], lambda _: None)["input_ids"]
    assert asked == written == [1, 3, 4, 5, 6]
    assert tokenizer_with("<s> $A")(ROW["prompt"])["input_ids"] == asked
    assert prompt_tokens(tokenizer, [Prompt("", "", beginning=[1])]) == [[1]]


def test_texts_that_begin_so_themselves_do_not_begin_twice(tokenizer: Any) -> None:
    row = {**ROW, "prompt": f"<s> {ROW['prompt']}"}
    assert samples(tokenizer, plain(tokenizer), row) == samples(tokenizer, plain(tokenizer), ROW)
    assert prompt_tokens(tokenizer, [plain(tokenizer).prompt(row)]) == [[1, 3, 4, 5, 6]]


@pytest.mark.parametrize("written", ["{{ bos_token }}", "<s>", ""])
def test_a_chat_template_alone_writes_what_conversations_begin_with(
    tokenizer: Any, written: str
) -> None:
    tokenizer.chat_template = TEMPLATE.replace("{{ bos_token }}", written)
    turns = [
        {"role": "user", "content": "what is red ?"},
        {"role": "assistant", "content": "blood ."},
    ]
    made = samples(tokenizer, ChatPrompts(tokenizer), {"messages": turns})
    begin = [1] if written else []
    assert made["input_ids"] == [[*begin, 3, 4, 5, 6, 7, 8]]
    asked = ChatPrompts(tokenizer).prompt({"messages": turns[:1]})
    assert prompt_tokens(tokenizer, [asked]) == [[*begin, 3, 4, 5, 6]]


def test_conversations_with_a_model_of_pairs_ask_what_is_typed(tokenizer: Any) -> None:
    tokenizer.chat_template = TEMPLATE
    turns = [
        {"role": "user", "content": "is red ?"},
        {"role": "assistant", "content": "blood"},
        {"role": "user", "content": "is sky ?"},
    ]
    asked = ChatPrompts(tokenizer, pairs=True).prompt({"messages": turns, "input": "."})
    assert prompt_tokens(tokenizer, [asked]) == [[1, 4, 5, 6, 7, 2, 4, 9, 6, 8]]


def test_blocks_begin_as_prompts_do() -> None:
    plain, begins = (
        BlockSource(torch.arange(10, 40), 8, 1.0, torch.device("cpu"), beginning)
        for beginning in ([], [1])
    )
    [expected] = plain.read(plain.plan(8))
    [batch] = begins.read(begins.plan(8))
    assert batch.inputs["input_ids"][:, 0].tolist() == [1, 1, 1]
    assert torch.equal(batch.inputs["input_ids"][:, 1:], expected.inputs["input_ids"][:, 1:])
    assert torch.equal(batch.targets["labels"], expected.targets["labels"])
    assert batch.weight == expected.weight == 24


def test_the_beginning_of_blocks_is_not_learned() -> None:
    source = BlockSource(torch.arange(10, 40), 8, 2.0, torch.device("cpu"), [1, 2])
    [batch] = source.read(source.plan(8), 0, Noise(0, 1, torch.device("cpu")))
    assert batch.inputs["input_ids"][:, :2].tolist() == [[1, 2]] * 3
    assert (batch.targets["labels"] != IGNORED).sum() == batch.weight == 21
    assert (batch.targets["labels"][:, 0] == IGNORED).all()
    assert batch.targets["characters"] == 42


def test_models_without_a_recorded_beginning_have_none() -> None:
    texts = CausalLmFitted(max_length=8, form="pairs", columns=["a", "b"], lines=False)
    compared = PreferenceFitted(max_length=8, columns={"prompt": "a"}, chat=False)
    for fitted in (texts, compared):
        kept = fitted.model_dump(exclude={"beginning"})
        assert type(fitted).model_validate(kept).beginning == []


def test_a_prompt_that_is_shortened_keeps_its_first_token() -> None:
    assert last_tokens([1, 3, 4, 5, 6], 3, 1) == [1, 5, 6]
    assert last_tokens([1, 3, 4, 5, 6], 5, 1) == [1, 3, 4, 5, 6]
    assert last_tokens([3, 4, 5, 6], 3, 1) == last_tokens([3, 4, 5, 6], 3, None) == [4, 5, 6]
    assert last_tokens([1, 3, 4], 1, 1) == [4]


def test_a_text_is_begun_once() -> None:
    assert begun([3, 4], [1]) == begun([1, 3, 4], [1]) == [1, 3, 4]
    assert begun([3, 4], []) == [3, 4]
    assert begun([], [1]) == [1]


def test_benchmarks_ask_without_the_token_that_ends_texts() -> None:
    made = without_end(tokenizer_with("<s> $A </s>"))
    assert made("what is")["input_ids"] == [1, 3, 4]
    assert not ends_texts(made)
    begins = tokenizer_with("<s> $A")
    assert without_end(begins) is begins


def test_samples_are_shown_with_what_they_begin_with(tokenizer: Any) -> None:
    [marked] = plain(tokenizer).marked(ROW)
    assert shown_parts(marked, "<s>", "</s>", False)[0] == ("<s>", False)
    assert shown_parts(marked, "<s>", "</s>", True)[0] == ("<s>", False)


def test_rows_of_prompts_are_kept_apart_by_what_they_begin_with(tokenizer: Any) -> None:
    prompts = [Prompt("what is", "", beginning=begin) for begin in ([1], [])]
    made = encoded_prompts(tokenizer, prompts * 200, ["test"], lambda _: None)
    assert made["input_ids"][:2] == [[1, 3, 4], [3, 4]]
