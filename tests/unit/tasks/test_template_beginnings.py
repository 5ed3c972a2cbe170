"""Templates of ours begin as the tokenizer of a base model begins a text, with BOS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from tokenizers import processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.artifacts.handover.modelfile import conversation_template
from engine.artifacts.handover.turns import between_turns, rendering
from engine.pipelines.create import create_pipeline
from engine.text.chat.templates import KNOWN
from engine.text.generation.prompt_tokens import prompt_tokens
from engine.text.tokens.bpe import bpe_from, train_bpe

Make = Callable[..., Any]
TURNS = [
    {"role": "user", "content": "colour?"}, {"role": "assistant", "content": "green"},
    {"role": "user", "content": "sure?"}, {"role": "assistant", "content": "yes"},
]  # fmt: skip
MARKS = [mark for template in KNOWN.values() for mark in template.marks]
KINDS = {"causal_lm": {"messages": [TURNS] * 2},
         "preference": {"prompt": [TURNS[:3]] * 2, "chosen": [TURNS[3:]] * 2,
                        "rejected": [TURNS[1:2]] * 2}}  # fmt: skip


def base_model(folder: Path, form: str) -> dict[str, Any]:
    """Save a Llama whose tokenizer writes texts in this form."""
    marks = ["<s>", "[gMASK]", "<sop>", *MARKS]
    own = bpe_from(train_bpe(["What colour is grass? green, sure, yes"], 400, marks))
    backend = own.backend_tokenizer
    special = [(mark, own.convert_tokens_to_ids(mark)) for mark in marks]
    backend.post_processor = processors.TemplateProcessing(single=form, special_tokens=special)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, bos_token="<s>", eos_token=own.eos_token, pad_token=own.pad_token
    )
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return {"kind": "transformer", "path": str(folder)}


def served(prepared: Any, folder: Path) -> Any:
    """Return the tokenizer that a server loads."""
    prepared.task.files(prepared.fitted).companions(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def learned_ids(prepared: Any) -> list[int]:
    batch = prepared.encoded()
    mask = batch.inputs["attention_mask"][0].bool()
    ids: list[int] = batch.inputs["input_ids"][0][mask].tolist()
    return ids


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["auto", *KNOWN])
def test_a_base_learns_conversations_behind_bos_as_servers_write_them(
    prepare: Make, kind: str, name: str, tmp_path: Path
) -> None:
    model = base_model(tmp_path / "base", "<s> $A")
    prepared = prepare(kind, KINDS[kind], model=model, chat_template=name, max_length=200)
    exported = served(prepared, tmp_path / "out")
    ids = learned_ids(prepared)
    text = exported.apply_chat_template(TURNS, tokenize=False)
    whole = exported(text, add_special_tokens=False)["input_ids"]
    assert whole[: len(ids)] == ids
    assert whole.count(exported.bos_token_id) == 1 == ids.count(exported.bos_token_id)
    assert exported("colour?")["input_ids"][0] == whole[0]
    asked = prepared.task.writer(prepared.fitted).asked("colour?")
    [prompt] = prompt_tokens(exported, [asked])
    written = exported.apply_chat_template(TURNS[:1], add_generation_prompt=True)["input_ids"]
    assert prompt == written[: len(prompt)]
    assert not exported.decode(written[len(prompt) :]).strip()


@pytest.mark.parametrize("name", KNOWN)
def test_a_base_without_bos_learns_what_the_template_says(
    prepare: Make, name: str, tmp_path: Path
) -> None:
    model = base_model(tmp_path / "base", "$A")
    prepared = prepare(
        "causal_lm", KINDS["causal_lm"], model=model, chat_template=name, max_length=200
    )
    assert served(prepared, tmp_path / "out").chat_template == KNOWN[name].text


def test_a_beginning_of_several_tokens_is_written_whole(prepare: Make, tmp_path: Path) -> None:
    model = base_model(tmp_path / "base", "[gMASK] <sop> $A")
    rows = KINDS["causal_lm"]
    prepared = prepare("causal_lm", rows, model=model, chat_template="chatml", max_length=200)
    exported = served(prepared, tmp_path / "out")
    begin = exported("colour?")["input_ids"][:2]
    assert exported.convert_ids_to_tokens(begin) == ["[gMASK]", "<sop>"]
    ids = exported.apply_chat_template(TURNS)["input_ids"]
    assert ids[:2] == begin == learned_ids(prepared)[:2]


@pytest.mark.parametrize("name", ["auto", "chatml"])
def test_an_exported_model_begins_once_when_it_is_loaded_again(
    prepare: Make, name: str, tmp_path: Path
) -> None:
    model = base_model(tmp_path / "base", "<s> $A")
    rows = KINDS["causal_lm"]
    prepared = prepare("causal_lm", rows, model=model, chat_template=name, max_length=200)
    first = served(prepared, tmp_path / "base")  # in place of its own tokenizer
    again: Any = create_pipeline(prepared.task.config)
    assert again.chat_tokenizer(prepared.fitted).chat_template == first.chat_template
    newly = again.fit(again.load())
    assert again.chat_tokenizer(newly).chat_template == first.chat_template


def test_models_that_recorded_no_beginning_keep_their_form(prepare: Make, tmp_path: Path) -> None:
    model = base_model(tmp_path / "base", "<s> $A")
    prepared = prepare("causal_lm", KINDS["causal_lm"], model=model, max_length=200)
    record = prepared.fitted.model_dump()
    assert record.pop("template_begin")
    earlier = type(prepared.fitted).model_validate(record)
    assert prepared.task.writer(earlier).to_export.chat_template == KNOWN["roles"].text


def test_a_template_of_the_model_decides_by_itself(prepare: Make, tmp_path: Path) -> None:
    model = base_model(tmp_path / "base", "<s> $A")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "base")
    tokenizer.chat_template = KNOWN["chatml"].text
    tokenizer.save_pretrained(tmp_path / "base")
    prepared = prepare("causal_lm", KINDS["causal_lm"], model=model, max_length=200)
    assert learned_ids(prepared)[0] == tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert served(prepared, tmp_path / "out").chat_template == KNOWN["chatml"].text


def test_bos_is_told_and_stands_once_in_the_template_of_ollama(
    prepare: Make, tmp_path: Path
) -> None:
    model = base_model(tmp_path / "base", "<s> $A")
    prepared = prepare("causal_lm", KINDS["causal_lm"], model=model, max_length=200)
    facts = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).facts
    assert facts["begin with"] == "<s>, which the tokenizer itself writes before a text"
    between = between_turns(rendering(prepared.task.writer(prepared.fitted).prompts))
    assert between.begin == "<s><|user|>\n"
    assert "<s>" not in conversation_template(between, "<s>")
    assert conversation_template(between, "").count("<s>") == 2  # with a system prompt, or without
