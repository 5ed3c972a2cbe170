"""Rows of preferences: prompt and answers in every form, what is wrong with them, and labels."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.preferences.rows import compared, fault_of, label_of


def turns(*texts: str) -> list[dict[str, str]]:
    """A conversation in which user and assistant take turns."""
    return [
        {"role": ("user", "assistant")[number % 2], "content": text}
        for number, text in enumerate(texts)
    ]


def test_a_prompt_of_its_own_stands_before_both_answers() -> None:
    given_row = compared({"prompt": "sky?", "chosen": "blue", "rejected": "red"})
    assert given_row.row(given_row.answers["chosen"]) == {"prompt": "sky?", "completion": "blue"}
    assert given_row.asked == {"prompt": "sky?"}


def test_a_further_input_is_a_part_of_the_prompt_in_its_form() -> None:
    text = compared({"prompt": "sum", "input": "1 + 1", "chosen": "2", "rejected": "3"})
    assert text.prompt == "sum\n1 + 1"
    chat = compared({"prompt": turns("sum"), "input": "1 + 1", "chosen": "2", "rejected": "3"})
    assert chat.prompt == [*turns("sum"), {"role": "user", "content": "1 + 1"}]
    assert compared({"prompt": "p", "input": " ", "chosen": "a", "rejected": "b"}).prompt == "p"


def test_system_and_tools_go_with_every_answer() -> None:
    row = {"prompt": "p", "chosen": "a", "rejected": "b", "system": "s", "tools": [1]}
    found = compared(row)
    assert found.row("a") == {"prompt": "p", "completion": "a", "system": "s", "tools": [1]}
    assert found.asked == {"prompt": "p", "system": "s", "tools": [1]}


def test_the_prompt_of_two_conversations_is_what_both_begin_with() -> None:
    chosen, rejected = turns("hi", "hello", "sky?", "blue"), turns("hi", "hello", "sky?", "red")
    found = compared({"chosen": chosen, "rejected": rejected})
    assert found.prompt == turns("hi", "hello", "sky?")
    assert found.answers == {"chosen": chosen[3:], "rejected": rejected[3:]}


def test_conversations_that_are_equal_have_their_last_turn_as_answers() -> None:
    whole = turns("hi", "hello")
    found = compared({"chosen": whole, "rejected": whole})
    assert found.prompt == whole[:1]
    assert found.answers == {"chosen": whole[1:], "rejected": whole[1:]}


@given(st.lists(st.sampled_from(["a", "b"]), min_size=2, max_size=6),
       st.lists(st.sampled_from(["a", "b"]), min_size=2, max_size=6))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_shared_turns_and_answers_are_the_conversations_together(
    one: list[str], other: list[str]
) -> None:
    row = {"chosen": turns(*one), "rejected": turns(*other)}
    found = compared(row)
    for name in ("chosen", "rejected"):
        assert [*found.prompt, *found.answers[name]] == row[name]
    if row["chosen"] != row["rejected"] and found.answers["chosen"] and found.answers["rejected"]:
        assert found.answers["chosen"][0] != found.answers["rejected"][0]


@given(st.text("ab \n", max_size=12), st.text("ab \n", max_size=8), st.text("ab \n", max_size=8))
@settings(max_examples=80, deadline=None)
def test_the_prompt_of_two_texts_ends_with_a_whole_word(
    prompt: str, chosen: str, rejected: str
) -> None:
    row = {"chosen": prompt + chosen, "rejected": prompt + rejected}
    found = compared(row)
    for name in ("chosen", "rejected"):
        assert found.prompt + found.answers[name] == row[name]
    assert not found.prompt or found.prompt[-1].isspace()


def test_the_prompt_of_texts_of_whole_conversations_ends_with_the_last_assistant_mark() -> None:
    asked = "\n\nHuman: sky?\n\nAssistant: well\n\nHuman: so?\n\nAssistant:"
    found = compared({"chosen": f"{asked} blue", "rejected": f"{asked} black"})
    assert found.prompt == asked
    assert found.answers == {"chosen": " blue", "rejected": " black"}


@pytest.mark.parametrize("write", [lambda value: value, json.dumps])
def test_tools_beside_the_messages_of_a_prompt_are_its_tools(write: Any) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    asked = {"messages": turns("sky?"), "tools": [tool], "parallel_tool_calls": True}
    found = compared({"prompt": write(asked), "chosen": "a", "rejected": "b"})
    assert (found.prompt, found.further) == (turns("sky?"), {"tools": [tool]})


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, None),
        ({"prompt": "p", "chosen": "a", "rejected": " a "}, "chosen and rejected are equal"),
        ({"prompt": "p", "chosen": "a", "rejected": turns("x", "a")[1:]},
         "chosen and rejected are equal"),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, "prompt is empty"),
        ({"prompt": "p", "chosen": None, "rejected": "b"}, "chosen is empty"),
        ({"prompt": "p", "chosen": "a", "rejected": "\n"}, "rejected is empty"),
        ({"prompt": "p", "chosen": [], "rejected": "b"}, "chosen is empty"),
        ({"chosen": "the same", "rejected": "the same more"}, None),
        ({"chosen": turns("hi", "a", "so?"), "rejected": turns("hi", "b")},
         "chosen ends with a turn of the user"),
        ({"chosen": turns("hi", "a"), "rejected": turns("hi", "a", "x", "b")},
         "chosen has no answer of its own"),
        ({"prompt": "p", "completion": "a", "label": True}, None),
        ({"prompt": "p", "completion": "a", "label": None}, "the label is missing"),
        ({"prompt": "p", "completion": "a", "label": "perhaps"},
         "the label is neither true nor false"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_learned_from_have_a_fault(
    row: dict[str, Any], fault: str | None
) -> None:
    assert fault_of(row) == fault


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (True, True), (1, True), (1.0, True), ("true", True), (" Yes ", True), ("1", True),
        (False, False), (0, False), ("no", False), (-1, False), ("-1", False), (0.0, False),
        (None, None), ("", None), (float("nan"), None), ("maybe", None), (2, None),
    ],
)  # fmt: skip
def test_labels_are_read_as_tables_write_truth(value: Any, good: bool | None) -> None:
    assert label_of({"label": value}) is good


def test_messages_within_an_object_are_turns() -> None:
    row = {"chosen": {"messages": turns("q", "a")}, "rejected": {"messages": turns("q", "b")}}
    found = compared(row)
    assert found.prompt == turns("q")
    assert found.answers["chosen"] == turns("q", "a")[1:]
    assert fault_of(row) is None


SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize("prompt", ["sky?", "sky? ", turns("sky?"), [SYSTEM, *turns("sky?")]])
@pytest.mark.parametrize("before", [[], [SYSTEM]])
def test_a_prompt_that_the_answers_repeat_stands_once(prompt: Any, before: list[Any]) -> None:
    given_row = {
        "prompt": prompt,
        "chosen": [*before, *turns("sky?", "blue")],
        "rejected": [*before, *turns("sky?", "red")],
    }
    found = compared(given_row)
    system = [SYSTEM] if before or prompt[0] == SYSTEM else []
    assert found.prompt == [*system, *turns("sky?")]
    assert found.answers == {
        "chosen": turns("", "blue")[1:], "rejected": turns("", "red")[1:]
    }  # fmt: skip
    assert fault_of(given_row) is None


@pytest.mark.parametrize("prompt", ["hi", "sky?"])
def test_earlier_answers_that_both_conversations_have_are_not_compared(prompt: str) -> None:
    chosen, rejected = turns("hi", "hello", "sky?", "blue"), turns("hi", "hello", "sky?", "red")
    found = compared({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    assert found.prompt == chosen[:3]
    assert found.answers == {"chosen": chosen[3:], "rejected": rejected[3:]}


def test_answers_that_go_on_from_the_prompt_keep_all_their_turns() -> None:
    on = turns("sky?", "what?", "sky?", "blue")[1:]
    other = [*on[:-1], {"role": "assistant", "content": "red"}]
    found = compared({"prompt": "sky?", "chosen": on, "rejected": other})
    assert (found.prompt, found.answers) == ("sky?", {"chosen": on, "rejected": other})


def test_a_single_answer_may_stand_in_its_conversation() -> None:
    whole = [SYSTEM, *turns("sky?", "blue")]
    alone = compared({"completion": whole, "label": True})
    beside = compared({"prompt": "sky?", "completion": whole, "label": True})
    for found in (alone, beside):
        assert (found.prompt, found.answers) == (whole[:2], {"completion": whole[2:]})
    unanswered = {"completion": turns("sky?"), "label": True}
    assert fault_of(unanswered) == "there is no answer behind a prompt"
    assert compared(unanswered).asked == {"prompt": turns("sky?")}


def test_a_repeated_prompt_with_other_instructions_on_each_side_is_a_fault() -> None:
    other = {"role": "system", "content": "Be long."}
    row = {
        "prompt": "sky?",
        "chosen": [SYSTEM, *turns("sky?", "blue")],
        "rejected": [other, *turns("sky?", "red")],
    }
    assert fault_of(row) == "chosen and rejected do not begin with the same prompt"


def test_answers_that_differ_in_their_calls_or_thoughts_are_not_equal() -> None:
    def call(number: int) -> list[dict[str, Any]]:
        function = {"name": "f", "arguments": {"a": number}}
        return [{"role": "assistant", "content": "", "tool_calls": [{"function": function}]}]

    def thought(text: str, name: str = "reasoning_content") -> list[dict[str, Any]]:
        return [{"role": "assistant", "content": "blue", name: text}]

    same = "chosen and rejected are equal"
    thinking = partial(thought, name="thinking")
    for make, one, other in ((call, 1, 2), (thought, "hm", "so"), (thinking, "hm", "so")):
        row = {"prompt": "sky?", "chosen": make(one)}  # type: ignore[operator]
        assert fault_of({**row, "rejected": make(other)}) is None  # type: ignore[operator]
        assert fault_of({**row, "rejected": make(one)}) == same  # type: ignore[operator]


@pytest.mark.parametrize(
    ("good", "bad"),
    [("desirable", "undesirable"), ("Chosen", "rejected"), ("good", "bad"), ("y", "n"),
     ("thumbs_up", "thumbs-down"), ("+1", "-1"), (1.0, -1.0), ("t", "f")],
)  # fmt: skip
def test_labels_in_words_and_signs_are_read(good: Any, bad: Any) -> None:
    assert label_of({"label": good}) is True
    assert label_of({"label": bad}) is False


def test_a_rejected_text_takes_the_place_of_the_last_answer() -> None:
    row = {"chosen": turns("hi", "hello", "sky?", "blue"), "rejected": "red"}
    found = compared(row)
    assert found.prompt == turns("hi", "hello", "sky?")
    assert found.answers == {"chosen": turns("", "blue")[1:], "rejected": "red"}
    assert fault_of(row) is None
    assert fault_of({**row, "rejected": "blue"}) == "chosen and rejected are equal"
    assert fault_of({**row, "chosen": turns("hi")}) is not None
