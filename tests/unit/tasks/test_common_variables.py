"""What all training rows have beside their messages: a system prompt, variables of the template."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import transformers

from engine.artifacts.handover.turns import between_turns, rendering
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.common_values import common
from engine.text.chat.templates import KNOWN, as_trained
from engine.text.tokens.bpe import bpe_from, train_bpe

Make = Callable[..., Any]
TEMPLATE = (
    "{% for m in messages %}\n  {% if m %}{{ m.content }};{% endif %}\n{% endfor %}"
    "{{ mood | default('none') }} {{ 'thinks' if enable_thinking | default(true) else 'acts' }}"
)
TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
ROW = {"messages": TURNS}
GIVEN = {"enable_thinking": False, "mood": 'so "ä😀\\\n', "not-a-name": 1}
WRITTEN = f"a;{GIVEN['mood']} acts"


def tokenizer_with(template: Any) -> Any:
    tokenizer = bpe_from(train_bpe(["a b thinks acts none"], 300, ()))
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["a", "a"], "a"),
        ([{"x": 1}, {"x": 1}], {"x": 1}),
        (["a", "b"], None),
        (["a", ""], None),
        (["", "a"], None),
        ([], None),
    ],
)
def test_a_value_is_common_if_all_have_it(values: Sequence[Any], found: Any) -> None:
    assert common(values) == found


def test_rows_are_read_up_to_the_first_that_differs() -> None:
    def values() -> Any:
        yield from ("a", "b")
        raise AssertionError("read further")

    assert common(values()) is None


def test_rows_without_variables_have_those_of_the_training() -> None:
    prompts = ChatPrompts(tokenizer_with(TEMPLATE), variables=GIVEN)
    assert prompts.prompt(ROW).text == WRITTEN
    own = {"chat_template_kwargs": {"enable_thinking": True}}
    assert prompts.prompt(ROW | own).text == WRITTEN.replace("acts", "thinks")


@pytest.mark.parametrize("begin", ["", "\n", "  {% if true %}x{% endif %}", " \n{{ 1 }}"])
@pytest.mark.parametrize("named", [False, True])
def test_an_exported_template_has_the_variables_unless_others_are_given(
    begin: str, named: bool, tmp_path: Path
) -> None:
    text = begin + TEMPLATE
    tokenizer = tokenizer_with({"default": text, "tool_use": "tools " + text} if named else text)
    expected = ChatPrompts(tokenizer, variables=GIVEN).prompt(ROW).text
    as_trained(tokenizer, True, variables=GIVEN).save_pretrained(tmp_path)
    exported = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert exported.apply_chat_template(TURNS[:1], tokenize=False) == expected
    other = exported.apply_chat_template(TURNS[:1], tokenize=False, mood="x", enable_thinking=True)
    assert other == expected.replace(str(GIVEN["mood"]), "x").replace("acts", "thinks")


def test_a_template_without_variables_is_exported_as_it_is() -> None:
    tokenizer = tokenizer_with(TEMPLATE)
    assert as_trained(tokenizer, True, variables={}) is tokenizer


def test_the_template_for_ollama_has_the_variables_of_training() -> None:
    template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{{ '' if enable_thinking else '<none>' }}"
        "{% endif %}"
    )
    prompts = ChatPrompts(tokenizer_with(template), variables={"enable_thinking": False})
    assert between_turns(rendering(prompts)).ask == "[assistant]<none>"


def rows(*systems: str, **columns: Any) -> dict[str, Any]:
    talks = [[{"role": "system", "content": system}, *TURNS] for system in systems]
    return {"messages": talks, **columns}


@pytest.mark.parametrize(("systems", "found"), [(["S", "S"], "S"), (["S", "T"], "")])
def test_the_system_prompt_of_all_rows_is_kept(
    prepare: Make, systems: list[str], found: str
) -> None:
    prepared = prepare("causal_lm", rows(*systems), max_length=200)
    assert prepared.task.writer(prepared.fitted).system == found


ASKED = "<|user|>\nq<|endoftext|>\n<|assistant|>\n"
WITH_S = "<|system|>\nS<|endoftext|>\n"


@pytest.mark.parametrize(
    ("value", "before"),
    [
        ("q", WITH_S),
        ([{"role": "user", "content": "q"}], ""),
        ('[{"role":"user","content":"q"}]', ""),
    ],
)
def test_texts_to_predict_from_have_the_system_prompt_of_all_rows(
    prepare: Make, value: Any, before: str
) -> None:
    prepared = prepare("causal_lm", rows("S", "S"), max_length=200)
    prompts = prepared.task.writer(prepared.fitted).prompts
    assert prompts.prompt({"messages": value}).text == before + ASKED


@pytest.mark.parametrize(
    ("own", "before"), [({}, WITH_S), ({"system": None}, WITH_S), ({"system": ""}, "")]
)
@pytest.mark.parametrize("kind", ["causal_lm", "preference"])
def test_pairs_to_predict_from_have_the_system_prompt_of_all_rows(
    prepare: Make, kind: str, own: dict[str, Any], before: str
) -> None:
    answers = {"completion": ["a", "b"]}
    if kind == "preference":
        answers = {"chosen": ["a", "b"], "rejected": ["c", "d"]}
    given = {"prompt": ["q", "r"], "system": ["S", "S"], **answers}
    prepared = prepare(kind, given, max_length=200, chat_template="roles")
    prompts = prepared.task.writer(prepared.fitted).prompts
    assert prompts.prompt({"prompt": "q", **own}).text == before + ASKED


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([{"enable_thinking": False}] * 2, {"enable_thinking": False}),
        ([{"enable_thinking": False}, {"enable_thinking": True}], {}),
        ([{"enable_thinking": False}, None], {}),
        (["no object", "no object"], {}),
    ],
)
def test_the_variables_of_all_rows_are_kept(
    prepare: Make, values: list[Any], found: dict[str, Any]
) -> None:
    given = rows("S", "S", chat_template_kwargs=values)
    prepared = prepare("causal_lm", given, max_length=200)
    assert prepared.task.writer(prepared.fitted).variables == found


def test_a_split_without_the_column_has_the_variables_of_the_training_rows(prepare: Make) -> None:
    given = rows("S", "S", chat_template_kwargs=[{"mood": "x"}] * 2)
    prepared = prepare("causal_lm", given, test=rows("S"), max_length=200)
    [note] = [note.why for note in prepared.raw.notes if "test has no column" in note.why]
    assert note.endswith("its prompts have the variables that all training rows share")


def test_preferences_have_what_all_their_rows_share(prepare: Make) -> None:
    given = {
        "prompt": [[{"role": "system", "content": "S"}, TURNS[0]]] * 2,
        "chosen": [[TURNS[1]]] * 2, "rejected": [[{**TURNS[1], "content": "c"}]] * 2,
        "chat_template_kwargs": [json.dumps({"mood": "x"})] * 2,
    }  # fmt: skip
    prepared = prepare("preference", given, max_length=200)
    writer = prepared.task.writer(prepared.fitted)
    assert (writer.system, writer.variables) == ("S", {"mood": "x"})


def test_pairs_of_texts_have_tools_and_variables_in_the_chat_template(prepare: Make) -> None:
    given = {
        "prompt": ["a", "b"], "completion": ["c", "d"], "tools": [json.dumps([{"name": "f"}])] * 2,
        "chat_template_kwargs": [json.dumps({"mood": "x"})] * 2,
    }  # fmt: skip
    prepared = prepare("causal_lm", given, max_length=200, chat_template="roles")
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    before = "{{ tools[0].function.name if tools }} {{ mood }};"
    tokenizer.chat_template = before + KNOWN["roles"].text
    writer = prepared.task.writer(prepared.fitted)
    assert writer.variables == {"mood": "x"}
    [marked] = writer.prompts.marked({role: values[0] for role, values in given.items()})
    assert marked.text.startswith("f x;<|user|>\na")
    batch = prepared.encoded()
    assert tokenizer.decode(batch.inputs["input_ids"][0]).startswith("f x;<|user|>\na")


def test_plain_pairs_say_that_tools_and_variables_are_not_used(prepare: Make) -> None:
    given = {"prompt": ["a", "b"], "completion": ["c", "d"], "tools": ["[]"] * 2,
             "chat_template_kwargs": ["{}"] * 2}  # fmt: skip
    prepared = prepare("causal_lm", given, max_length=200)
    facts = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).facts
    assert {facts[name] for name in ("tools", "chat_template_kwargs")} == {
        "not used: prompts are plain text"
    }
