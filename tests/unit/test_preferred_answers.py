"""Rows of preferences: prompt and answers in every form, what is wrong with them, and labels."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.preferences import compared, fault_of, label_of


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
